// Signing in and out, as people do it.

import assert from "node:assert/strict";
import { after, before } from "node:test";
import { waxseal } from "./programs.js";
import { assertSignedIn, assertSignedOut, launch, signIn, visit } from "./visitor.js";

let browser, site, proxied;
before(async () => {
  [browser, site, proxied] = await Promise.all([launch(), waxseal(), waxseal({ TRUSTED_PROXIES: "1" })]);
});
after(async () => {
  site?.stop();
  proxied?.stop();
  await browser?.close();
});

const plain = () => ({ browser, baseURL: site.origin });
const withoutScripts = () => ({ ...plain(), javaScriptEnabled: false });
const byHttps = () => ({
  browser,
  baseURL: proxied.origin,
  extraHTTPHeaders: { "X-Forwarded-Proto": "https" },
});

/** Goes to the login page, where something gets the focus, though not at once on a busy machine. */
async function openForm(page) {
  await page.goto("/");
  await page.locator(":focus").waitFor();
}

/** What has the focus: its accessible name, once it is seen that it shows. */
async function focused(page) {
  const { name, outline } = await page.evaluate(() => {
    const element = document.activeElement;
    const style = getComputedStyle(element);
    return {
      name: element.labels?.[0]?.textContent ?? element.textContent.trim(),
      outline: style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth),
    };
  });
  assert.ok(outline >= 2, `the focus on ${name} does not show`);
  return name;
}

/** Presses Tab until this has the focus; on the way, the focus always shows. */
async function tabTo(page, name) {
  for (let presses = 0; presses < 5; presses++) {
    await page.keyboard.press("Tab");
    if ((await focused(page)) === name) return;
  }
  assert.fail(`no way to ${name}`);
}

visit("sign in and out with the keyboard alone", plain, async (page) => {
  await openForm(page);
  assert.equal(await focused(page), "Username");
  await page.keyboard.type("foo");
  await tabTo(page, "Password");
  await page.keyboard.type("secret");
  await tabTo(page, "Sign in");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Hello foo" }).waitFor();
  assert.equal(new URL(page.url()).pathname, "/");

  await tabTo(page, "Logout");
  await page.keyboard.press("Space");
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await assertSignedOut(page);
});

visit("Enter in the password field sends the form", plain, async (page) => {
  await openForm(page);
  await page.keyboard.type("foo");
  await page.keyboard.press("Tab");
  await page.keyboard.type("secret\n");
  await page.getByRole("heading", { name: "Hello foo" }).waitFor();
});

visit("a wrong password shows the error, which has the focus and is announced", plain, async (page) => {
  await page.goto("/");
  assert.equal(await page.getByRole("alert").count(), 0, "no error before");
  await signIn(page, { username: "ada", password: "wrong" });
  const error = page.getByRole("alert");
  await error.waitFor();
  assert.match(await error.textContent(), /wrong name or password/i);
  assert.ok(await error.evaluate((element) => element === document.activeElement), "it has the focus");
  await assertSignedOut(page);
});

visit("after a wrong password, the next attempt begins where the error is", plain, async (page) => {
  await signIn(page, { password: "wrong" });
  await page.getByRole("alert").waitFor();
  await tabTo(page, "Username");
  await page.getByLabel("Username").fill("foo");
  await tabTo(page, "Password");
  await page.keyboard.type("secret\n");
  await page.getByRole("heading", { name: "Hello foo" }).waitFor();
});

for (const name of ["Mary Ann", `<b>"O'Neill" & sons`]) {
  visit(`a wrong password keeps the name ${name}, and not the password`, plain, async (page) => {
    await signIn(page, { username: name, password: "wrong" });
    await page.getByRole("alert").waitFor();
    assert.equal(await page.getByLabel("Username").inputValue(), name);
    assert.equal(await page.getByLabel("Password").inputValue(), "");
  });
}

visit("a password manager knows both fields", plain, async (page) => {
  await page.goto("/");
  const autocomplete = (label) => page.getByLabel(label).getAttribute("autocomplete");
  assert.equal(await autocomplete("Username"), "username");
  assert.equal(await autocomplete("Password"), "current-password");
});

visit("everything works without scripts", withoutScripts, async (page) => {
  await signIn(page, { username: "grace", password: "wrong" });
  await page.getByRole("alert").waitFor();
  await signIn(page);
  await page.getByRole("button", { name: "Logout" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
});

visit("after signing out, going back shows nobody's page", plain, async (page) => {
  await signIn(page);
  await page.getByRole("button", { name: "Logout" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await page.goBack();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  assert.equal(await page.getByText("Hello").count(), 0);
});

visit("signing out in one window signs out in the other", plain, async (page, context) => {
  await signIn(page);
  const other = await context.newPage();
  await assertSignedIn(other);
  await page.getByRole("button", { name: "Logout" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await assertSignedOut(other);
});

visit("the address of /logout, typed, signs out", plain, async (page) => {
  await signIn(page);
  await assertSignedIn(page);
  await page.goto("/logout");
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await assertSignedOut(page);
});

visit("the cookie by HTTP, as the browser keeps it", plain, async (page, context) => {
  const cookie = async () => (await context.cookies()).find(({ name }) => name === "waxseal");
  await page.goto("/");
  assert.equal(await cookie(), undefined, "who has not signed in has no session");
  await signIn(page);
  await page.getByRole("heading", { name: "Hello foo" }).waitFor();
  const { path, domain, httpOnly, secure, sameSite, expires } = await cookie();
  assert.deepEqual(
    { path, domain, httpOnly, secure, sameSite },
    { path: "/", domain: "localhost", httpOnly: true, secure: false, sameSite: "Lax" },
  );
  assert.equal(Math.round((expires - Date.now() / 1000) / 86_400), 7, "days");
  assert.equal(await page.evaluate(() => document.cookie), "", "no script can read it");
  await page.getByRole("button", { name: "Logout" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  assert.equal(await cookie(), undefined, "signing out removes it");
});

visit("the cookies by HTTPS are Secure, and bound to this host by their names", byHttps, async (page, context) => {
  await signIn(page);
  await page.getByRole("heading", { name: "Hello foo" }).waitFor();
  const cookies = await context.cookies();
  assert.ok(cookies.some(({ name }) => name === "__Host-waxseal"));
  for (const { name, path, httpOnly, secure, sameSite } of cookies) {
    assert.match(name, /^__Host-/);
    assert.deepEqual({ path, httpOnly, secure, sameSite }, { path: "/", httpOnly: true, secure: true, sameSite: "Lax" });
  }
  await page.getByRole("button", { name: "Logout" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  assert.ok(!(await context.cookies()).some(({ name }) => name === "__Host-waxseal"));
});
