// Every page, in light and dark, on a telephone: nothing for axe to find, nothing too wide.

import assert from "node:assert/strict";
import { after, before } from "node:test";
import { waxseal } from "./programs.js";
import { answered, assertAccessible, assertFits, launch, signIn, visit } from "./visitor.js";

let browser, site;
before(async () => {
  [browser, site] = await Promise.all([launch(), waxseal()]);
});
after(async () => {
  site?.stop();
  await browser?.close();
});

/** Sends the login form with other properties than it has. */
async function send(page, status, heading, properties, username = "foo") {
  await page.goto("/");
  await page.getByLabel("Username").fill(username);
  await answered(page, status, heading, () =>
    page.locator("form").evaluate((form, properties) => Object.assign(form, properties).submit(), properties),
  );
}

/** How each page is reached; the one that asks whether to sign out is in other_site.test.js too. */
const PAGES = {
  "login": (page) => page.goto("/"),
  "login, refused": async (page) => {
    await signIn(page, { username: "ada", password: "wrong" });
    await page.getByRole("alert").waitFor();
  },
  "home": async (page) => {
    await signIn(page);
    await page.getByRole("heading", { name: "Hello foo" }).waitFor();
  },
  "sign out?": async (page) => {
    // As a browser that looks ahead asks for it.
    await page.setExtraHTTPHeaders({ "Sec-Purpose": "prefetch" });
    await page.goto("/logout");
    await page.getByRole("heading", { name: "Sign out?" }).waitFor();
  },
  "400": async (page) => {
    await page.route("**/login", (route) => route.continue({ postData: "username=%zz" }));
    await send(page, 400, "Not understood", {});
  },
  "404": (page) => answered(page, 404, "Not found", () => page.goto("/nowhere")),
  "404 of a file": (page) => answered(page, 404, "Not found", () => page.goto("/public/nothing.css")),
  "405": (page) => send(page, 405, "Not possible here", { action: "/" }),
  "413": (page) => send(page, 413, "Too large", {}, "x".repeat(9000)),
  "415": (page) => send(page, 415, "Not understood", { enctype: "text/plain" }),
  "429": async (page) => {
    const guess = () => page.request.post("/login", { form: { username: "eve", password: "?" }, maxRedirects: 0 });
    for (let tries = 0; tries < 9 && (await guess()).status() !== 429; tries++);
    await answered(page, 429, "Too many tries", () => signIn(page, { username: "eve" }));
  },
};

const luminance = (colour) => {
  const [red, green, blue] = colour.match(/\d+/g).map(Number);
  return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255;
};

// Without motion a colour is what it is at once.
const plain = () => ({ browser, baseURL: site.origin, reducedMotion: "reduce" });
const telephone = () => ({
  ...plain(),
  viewport: { width: 320, height: 568 },
  deviceScaleFactor: 2,
  isMobile: true,
  hasTouch: true,
});

for (const [name, open] of Object.entries(PAGES)) {
  visit(`${name}, light and dark: axe finds nothing, and the colours are right`, plain, async (page) => {
    await open(page);
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      await assertAccessible(page);
      const { desk, ink } = await page.evaluate(() => ({
        desk: getComputedStyle(document.documentElement).backgroundColor,
        ink: getComputedStyle(document.querySelector("h1")).color,
      }));
      const [bright, dim] = colorScheme === "light" ? [desk, ink] : [ink, desk];
      assert.ok(luminance(bright) > 0.8 && luminance(dim) < 0.2, `${colorScheme}: ${ink} on ${desk}`);
    }
  });

  visit(`${name}, on a telephone: it fits, and fingers can hit it`, telephone, async (page) => {
    await open(page);
    for (const width of [320, 360]) {
      await page.setViewportSize({ width, height: 568 });
      await assertFits(page);
      const controls = page.locator("main").locator("a, button, input:not([type=hidden])");
      for (const control of await controls.all()) {
        const { width, height } = await control.boundingBox();
        assert.ok(width >= 44 && height >= 44, `${await control.innerText()}: ${width} × ${height}`);
      }
    }
  });
}

visit("files come gzipped, and are right when unpacked", plain, async (page) => {
  const sheet = page.waitForResponse(/style\.css$/);
  await page.goto("/");
  const headers = await (await sheet).allHeaders();
  assert.equal(headers["content-encoding"], "gzip");
  assert.equal(headers.vary, "Accept-Encoding");
  assert.match(await (await sheet).text(), /^\/\* Waxseal/);
});

visit("the icons are there", plain, async (page) => {
  await page.goto("/");
  const icons = await page.locator("link[rel=icon]").evaluateAll((links) => links.map((link) => link.href));
  assert.equal(icons.length, 2);
  for (const icon of icons) {
    const isShown = (url) => Object.assign(new Image(), { src: url }).decode().then(() => true, () => false);
    assert.ok(await page.evaluate(isShown, icon), icon);
  }
});
