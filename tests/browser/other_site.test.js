// What another site can make a visitor's browser do: nothing that counts.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before } from "node:test";
import { waxseal } from "./programs.js";
import { answered, assertAccessible, assertSignedIn, assertSignedOut, launch, signIn, visit } from "./visitor.js";

let browser, site, attacker;
before(async () => {
  [browser, site, attacker] = await Promise.all([launch(), waxseal(), listen()]);
});
after(async () => {
  site?.stop();
  attacker?.close();
  await browser?.close();
});

/** A server whose page is whatever stands in its address. */
function listen() {
  const server = createServer((request, response) => {
    const page = new URL(request.url, "http://attacker").searchParams.get("page") ?? "";
    response.setHeader("Content-Type", "text/html; charset=utf-8");
    response.end(`<!DOCTYPE html><html lang="en"><link rel="icon" href="data:,"><title>Other</title>${page}`);
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

const attack = (host, page) =>
  `http://${host}:${attacker.address().port}/?page=${encodeURIComponent(page)}`;

const form = (action, attributes = "") =>
  `<form id="form" method="post" action="${site.origin}${action}" ${attributes}>
   <input name="username" value="foo"><input name="password" value="secret"></form>
   <script>document.getElementById("form").submit()</script>`;

const plain = () => ({ browser, baseURL: site.origin });

// To browsers, 127.0.0.1 is another site than localhost; another port is another origin of the same
// site, and there SameSite lets every cookie through.
for (const [host, what] of [["127.0.0.1", "another site"], ["localhost", "another origin of the same site"]]) {
  visit(`a link on ${what} to /logout asks, and signs nobody out`, plain, async (page) => {
    await signIn(page);
    await assertSignedIn(page);
    await page.goto(attack(host, `<a href="${site.origin}/logout">Free kittens</a>`));
    await page.getByRole("link").click();
    await page.getByRole("heading", { name: "Sign out?" }).waitFor();
    await assertAccessible(page);
    await page.getByRole("link", { name: "Stay signed in" }).click();
    await page.getByRole("heading", { name: "Hello foo" }).waitFor();
  });

  visit(`the question that a link on ${what} leads to can be answered with yes`, plain, async (page) => {
    await signIn(page);
    await assertSignedIn(page);
    await page.goto(attack(host, `<a href="${site.origin}/logout">Sign out there</a>`));
    await page.getByRole("link").click();
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    await assertSignedOut(page);
  });

  for (const policy of ["", `rel="noreferrer"`]) {
    const anonymously = policy && ", anonymously,";
    visit(`a form on ${what} that${anonymously} sends itself to /logout is refused`, plain, async (page) => {
      await signIn(page);
      await assertSignedIn(page);
      await answered(page, 403, "Not allowed", () => page.goto(attack(host, form("/logout", policy))));
      await assertAccessible(page);
      await assertSignedIn(page);
    });
  }

  visit(`a form on ${what} signs nobody in`, plain, async (page) => {
    await answered(page, 403, "Not allowed", () => page.goto(attack(host, form("/login"))));
    await assertSignedOut(page);
  });
}

/** Ways to ask for an address without leaving the page. */
const ASKING = {
  "an image": (url) => `<img src="${url}" alt="">`,
  "a frame": (url) => `<iframe src="${url}"></iframe>`,
  "a stylesheet": (url) => `<link rel="stylesheet" href="${url}">`,
  "a prefetch": (url) => `<link rel="prefetch" href="${url}">`,
  "a script that fetches": (url) =>
    `<script>fetch("${url}", { method: "POST", mode: "no-cors", credentials: "include" })</script>`,
};

for (const [what, asking] of Object.entries(ASKING)) {
  visit(`${what} on another origin signs nobody out`, plain, async (page, context) => {
    await signIn(page);
    await assertSignedIn(page);
    const other = await context.newPage();
    const url = `${site.origin}/logout`;
    const asked = other.waitForRequest(url);
    await other.goto(attack("localhost", asking(url)));
    await (await asked).response();
    await assertSignedIn(page);
  });
}

visit("no other site can show the pages in a frame", plain, async (page, context) => {
  await signIn(page);
  await assertSignedIn(page);
  const other = await context.newPage();
  await other.goto(attack("localhost", `<iframe src="${site.origin}/"></iframe>`));
  const frame = other.frames()[1];
  assert.equal(await frame.getByText("Hello foo").count(), 0);
});
