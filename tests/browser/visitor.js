// Visitors in a real browser, and what they do on every page.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { chromium } from "playwright-core";

const AXE = createRequire(import.meta.url)("axe-core").source;

export const launch = () =>
  chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox", // In a container there is nothing to make a sandbox of.
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      // A host with a name, and hosts below it.
      "--host-resolver-rules=MAP *.site.test 127.0.0.1, MAP site.test 127.0.0.1",
    ],
  });

/**
 * Declares a test with a visitor of its own (options of a browser context), who hears no complaint
 * of the browser: no error, no violation of the policy. The story may let others come, each with
 * a browser context of their own.
 */
export function visit(name, options, story, { todo } = {}) {
  test(name, { timeout: 30_000, todo }, async () => {
    const { browser, ...contextOptions } = options();
    const contexts = [];
    const complaints = [];
    const come = async () => {
      const context = await browser.newContext(contextOptions);
      contexts.push(context);
      context.setDefaultTimeout(10_000);
      const page = await context.newPage();
      complaints.push(listen(page));
      return page;
    };
    try {
      const page = await come();
      await story(page, page.context(), come);
      assert.deepEqual(complaints.flatMap((heard) => heard()), [], "the browser complains");
    } finally {
      for (const context of contexts) await context.close();
    }
  });
}

/** What the browser complains of on `page`, from now on. */
function listen(page) {
  const heard = [];
  const documents = new Set();
  page.on("pageerror", (error) => heard.push({ text: String(error) }));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) {
      heard.push({ text: message.text(), url: message.location().url });
    }
  });
  page.on("response", (response) => {
    if (response.request().isNavigationRequest()) documents.add(response.url());
  });
  // That a page is an error page is told by the tests themselves.
  const isStatus = ({ text, url }) => text.startsWith("Failed to load resource") && documents.has(url);
  return () => heard.filter((complaint) => !isStatus(complaint));
}

/** Goes to the login page, and sends the form. */
export async function signIn(page, { username = "foo", password = "secret" } = {}) {
  await page.goto("/");
  await page.getByLabel("Username").fill(username);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

export async function assertSignedIn(page, username = "foo") {
  await page.goto("/");
  await page.getByRole("heading", { name: `Hello ${username}`, exact: true }).waitFor();
}

export async function assertSignedOut(page) {
  await page.goto("/");
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
}

/** Does what makes the browser ask for a page, and waits for it: its status, its heading. */
export async function answered(page, status, heading, act) {
  const isIt = (response) => response.request().isNavigationRequest() && response.status() === status;
  const [response] = await Promise.all([page.waitForResponse(isIt), act()]);
  await page.getByRole("heading", { name: heading }).waitFor();
  return response;
}

/** Asserts that axe finds nothing, and that it could judge every contrast. */
export async function assertAccessible(page) {
  await page.waitForLoadState(); // With its stylesheet.
  // The policy keeps scripts out of the page, not out of the tests.
  await page.evaluate(AXE);
  const found = await page.evaluate(async () => {
    // axe cannot tell a contrast on a gradient; ours only draws the flap, where no text is.
    document.querySelector("main").style.backgroundImage = "none";
    const { violations, incomplete } = await globalThis.axe.run();
    const unsure = incomplete.filter((rule) => rule.id === "color-contrast");
    const places = ({ id, nodes }) => `${id}: ${nodes.map((node) => node.target).join(", ")}`;
    return [...violations, ...unsure].map(places);
  });
  assert.deepEqual(found, [], `axe, at ${page.url()}`);
}

/** Asserts that nothing is wider than the screen. */
export async function assertFits(page) {
  await page.waitForLoadState(); // With its stylesheet.
  const { content, screen } = await page.evaluate(() => ({
    content: document.documentElement.scrollWidth,
    screen: document.documentElement.clientWidth,
  }));
  assert.ok(content <= screen, `${content} pixels on a screen of ${screen}, at ${page.url()}`);
}
