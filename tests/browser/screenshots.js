// The pictures in docs/: each page in light and dark, side by side.

import { fileURLToPath } from "node:url";
import { waxseal } from "./programs.js";
import { launch, signIn } from "./visitor.js";

/** As high as the page is, and no lower than this. */
const SIZE = { width: 500, height: 400 };

const PICTURES = {
  "login.png": async (page) => {
    await page.goto("/");
    await page.getByLabel("Username").waitFor();
  },
  "home.png": async (page) => {
    await signIn(page);
    await page.getByRole("heading", { name: "Hello foo" }).waitFor();
  },
};

const [browser, site] = await Promise.all([launch(), waxseal()]);
try {
  for (const [file, open] of Object.entries(PICTURES)) {
    const halves = [];
    for (const colorScheme of ["light", "dark"]) halves.push(await shoot(open, colorScheme));
    await compose(halves, fileURLToPath(new URL(`../../docs/${file}`, import.meta.url)));
  }
} finally {
  site.stop();
  await browser.close();
}

async function shoot(open, colorScheme) {
  const page = await browser.newPage({ baseURL: site.origin, colorScheme, reducedMotion: "reduce", viewport: SIZE });
  await open(page);
  await page.mouse.move(0, 0); // Nothing is pointed at.
  const picture = await page.screenshot({ animations: "disabled", fullPage: true });
  await page.close();
  return `data:image/png;base64,${picture.toString("base64")}`;
}

async function compose(halves, path) {
  const page = await browser.newPage({ viewport: { ...SIZE, width: SIZE.width * halves.length } });
  const images = halves.map((half) => `<img src="${half}">`);
  await page.setContent(`<!DOCTYPE html><body style="display: flex; align-items: start; margin: 0">${images.join("")}`);
  await page.screenshot({ path, fullPage: true });
  await page.close();
}
