// Real users: who they are, how often one may try, and how all of it ends.

import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { addUser, entry, waxseal } from "./programs.js";
import { answered, assertAccessible, assertFits, assertSignedIn, assertSignedOut, launch, signIn, visit } from "./visitor.js";

/** Names that an attacker, or a long-winded company, would choose. */
const ODD = `<img/src=x/onerror=alert(1)>&amp;"'O`;
const LONG = "w".repeat(128);
/** As much work as is let pass: seconds. Nobody knows its password. */
const SLOW = "slow:$argon2id$v=19$m=8,t=131072,p=1$bm9ib2R5IGtub3dzIQ$bm9ib2R5IGtub3dzIHRoZSBwYXNzd29yZCBvZiB0aGk";

let browser, directory, file, demonstration, site, filed;
before(async () => {
  directory = await mkdtemp(join(tmpdir(), "waxseal-people-"));
  file = join(directory, "users");
  for (const name of ["alice", "bob", "carol"]) addUser(file, name, `${name}'s`);
  const users = ["alice", "bob", ODD, LONG].map((name) => entry(name, `${name}'s`));
  // Behind a proxy, each visitor has an address, and with it tries of their own.
  const proxied = { TRUSTED_PROXIES: "1" };
  [browser, demonstration, site, filed] = await Promise.all([
    launch(),
    waxseal(proxied),
    waxseal({ ...proxied, USERS: [...users, SLOW].join("\n"), WORKER_THREADS: "4" }),
    waxseal({ ...proxied, USERS_FILE: file }),
  ]);
});
after(async () => {
  for (const server of [demonstration, site, filed]) server?.stop();
  await browser?.close();
  if (directory) await rm(directory, { recursive: true });
});

let visitors = 0;
const from = (server) => ({
  browser,
  baseURL: server.origin,
  extraHTTPHeaders: { "X-Forwarded-For": `2001:db8:0:${(++visitors).toString(16)}::1` },
});
const plain = () => from(site);
const telephone = () => ({ ...plain(), viewport: { width: 320, height: 568 }, reducedMotion: "reduce" });

const signInAs = (page, username, password = `${username}'s`) => signIn(page, { username, password });

async function arrive(page, username, password) {
  await signInAs(page, username, password);
  await page.getByRole("heading", { name: `Hello ${username}`, exact: true }).waitFor();
}

async function assertRefused(page, username, password) {
  await signInAs(page, username, password);
  await page.getByRole("alert").waitFor();
  await assertSignedOut(page);
}

/** Loads the page anew, and sees that nobody is signed in any more. */
async function reloadSignedOut(page) {
  await page.reload();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  assert.equal(await page.getByText("Hello").count(), 0);
}

async function assertNoSessionCookie(page) {
  const names = (await page.context().cookies()).map(({ name }) => name);
  assert.deepEqual(names, ["waxseal-browser"]);
}

// --- who may sign in -----------------------------------------------------------------------------

for (const [where, server] of [["USERS", () => site], ["USERS_FILE", () => filed]]) {
  visit(`a user of ${where} signs in and out`, () => from(server()), async (page) => {
    await arrive(page, "bob");
    await assertSignedIn(page, "bob");
    await page.getByRole("button", { name: "Logout" }).click();
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    await assertSignedOut(page);
  });

  visit(`with ${where} there is no demonstration, and its pair is nobody's`, () => from(server()), async (page) => {
    await page.goto("/");
    assert.doesNotMatch(await page.locator("body").innerText(), /demonstration|foo|secret/);
    await assertRefused(page, "foo", "secret");
  });
}

visit("the demonstration says that it is one, and the pair that it names works", () => from(demonstration), async (page) => {
  await page.goto("/");
  const note = page.locator("main").getByText("This is a demonstration.");
  assert.ok(await note.isVisible());
  const [username, password] = await note.locator("strong").allTextContents();
  await arrive(page, username, password);
  assert.equal(await page.getByText("demonstration").count(), 0, "only where it helps");
});

// --- the name that was typed ---------------------------------------------------------------------

for (const name of ["alice", "nobody@example.com", ODD]) {
  visit(`a wrong password keeps the name ${name} once, and out of every address`, plain, async (page, _, come) => {
    const addresses = [];
    page.on("request", (request) => addresses.push(request.url(), request.headers().referer ?? ""));
    const field = page.getByLabel("Username");
    await signInAs(page, name, "wrong");
    await page.getByRole("alert").waitFor();
    assert.equal(await field.inputValue(), name);

    const stranger = await come();
    await stranger.goto(page.url());
    assert.equal(await stranger.getByLabel("Username").inputValue(), "", "somebody else does not see it");
    await page.reload();
    assert.equal(await field.inputValue(), "", "nor does who comes later");
    await page.goto("/");
    await page.goBack();
    assert.equal(await field.inputValue(), "", "or goes back");

    assert.ok(addresses.some((address) => address.endsWith("/login")));
    for (const address of addresses) {
      assert.ok(!decodeURIComponent(address).includes(name) && !address.includes("wrong"), address);
    }
  });
}

visit("after a wrong password the password alone is to be typed again", plain, async (page) => {
  await signInAs(page, "alice", "wrong");
  await page.getByRole("alert").waitFor();
  await page.getByLabel("Password").fill("alice's");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Hello alice" }).waitFor();
});

visit("a name is text, whatever it is written in", plain, async (page) => {
  page.on("dialog", () => assert.fail("a script has run"));
  await arrive(page, ODD);
  assert.equal(await page.getByRole("heading").textContent(), `Hello ${ODD}`);
  assert.equal(await page.locator("main img, main [onerror]").count(), 0);
});

for (const colorScheme of ["light", "dark"]) {
  const small = () => ({ ...telephone(), colorScheme });

  visit(`the longest name, on a telephone, ${colorScheme}: it fits, and axe finds nothing`, small, async (page) => {
    await signInAs(page, LONG, "wrong");
    await page.getByRole("alert").waitFor();
    assert.equal(await page.getByLabel("Username").inputValue(), LONG);
    await assertFits(page);
    await assertAccessible(page);
    await arrive(page, LONG);
    await assertFits(page);
    await assertAccessible(page);
  });
}

// --- users who go --------------------------------------------------------------------------------

/** Makes a change of the file, and waits until it counts. */
async function change(act) {
  const changed = filed.says("the users have changed");
  await act();
  await changed;
}

visit("removing a user signs the open page out, and nobody else's", () => from(filed), async (page, _, come) => {
  const other = await come();
  await arrive(page, "alice");
  await arrive(other, "bob");
  const lines = (await readFile(file, "utf8")).split("\n");
  await change(() => writeFile(file, lines.filter((line) => !line.startsWith("alice:")).join("\n")));
  await reloadSignedOut(page);
  await assertNoSessionCookie(page);
  await assertRefused(page, "alice");
  await assertSignedIn(other, "bob");
});

visit("another password signs the open page out, and nobody else's", () => from(filed), async (page, _, come) => {
  const other = await come();
  await arrive(page, "carol");
  await arrive(other, "bob");
  await change(() => addUser(file, "carol", "another"));
  await reloadSignedOut(page);
  await assertNoSessionCookie(page);
  await assertSignedIn(other, "bob");
  await assertRefused(page, "carol");
  await arrive(page, "carol", "another");
  await assertSignedIn(page, "carol");
});

// --- signing out everywhere ----------------------------------------------------------------------

visit("signing out everywhere ends the session of another browser", plain, async (page, _, come) => {
  const [there, bob] = [await come(), await come()];
  await arrive(there, "alice");
  await arrive(bob, "bob");
  await arrive(page, "alice");
  await page.getByRole("button", { name: "Sign out everywhere" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await assertNoSessionCookie(page);
  await arrive(page, "alice"); // At once.
  await assertSignedIn(page, "alice");

  await reloadSignedOut(there);
  await arrive(there, "alice");
  await assertSignedIn(there, "alice");
  await assertSignedIn(page, "alice");
  await assertSignedIn(bob, "bob");
});

visit("signing out here leaves another browser signed in", plain, async (page, _, come) => {
  const there = await come();
  await arrive(there, "alice");
  await arrive(page, "alice");
  await page.getByRole("button", { name: "Logout" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await assertSignedIn(there, "alice");
});

// --- guessing ------------------------------------------------------------------------------------

/** Five wrong tries, which is all that there are. */
async function guess(page, username) {
  for (let tries = 0; tries < 5; tries++) {
    const form = { username, password: "wrong" };
    const response = await page.request.post("/login", { form, maxRedirects: 0 });
    assert.equal(response.headers().location, "/public/login.html#failed");
  }
}

const throttled = (page, username) =>
  answered(page, 429, "Too many tries", () => signInAs(page, username));

visit("after five wrong passwords the page says when to try again", plain, async (page) => {
  for (let tries = 0; tries < 5; tries++) {
    await signInAs(page, "alice", "wrong");
    await page.getByRole("alert").waitFor();
  }
  const response = await throttled(page, "alice");
  const seconds = Number(await response.headerValue("Retry-After"));
  assert.ok(seconds >= 1 && seconds <= 60, `${seconds}`);
  const wait = seconds === 60 ? "1 minute" : seconds === 1 ? "1 second" : `${seconds} seconds`;
  assert.ok(await page.getByText(`Please try again in ${wait}.`).isVisible(), await page.content());
  assert.doesNotMatch(await page.content(), /alice/);

  await page.getByRole("link", { name: "Back to the home page" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await arrive(page, "bob"); // Whose tries these were not.
});

visit("who guesses does not lock out a browser that has signed in before", plain, async (page, _, come) => {
  await arrive(page, "alice");
  await page.getByRole("button", { name: "Logout" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  // From the same address, even.
  const guesser = await come();
  await guess(guesser, "alice");
  await throttled(guesser, "alice");

  await arrive(page, "alice");
  await page.getByRole("button", { name: "Logout" }).click();
  await guess(page, "alice");
  await throttled(page, "alice"); // It has no more tries than anybody.
});

// --- many at once --------------------------------------------------------------------------------

/** Visitors who keep the server hashing, once there is no room for one more; and how to stop them. */
async function crowd() {
  let isOver = false;
  let tellFull;
  const full = new Promise((resolve) => (tellFull = resolve));
  const body = new URLSearchParams({ username: "slow", password: "?" });
  const push = async () => {
    while (!isOver) {
      const headers = from(site).extraHTTPHeaders;
      const { status } = await fetch(`${site.origin}/login`, { method: "POST", body, headers, redirect: "manual" });
      if (status !== 503) continue;
      tellFull();
      await sleep(50);
    }
  };
  // Half of the four workers may hash.
  const pushing = Promise.all([push(), push(), push()]);
  await Promise.race([full, pushing]);
  return async () => {
    isOver = true;
    await pushing;
  };
}

visit("when many sign in at once, one more is asked to wait; other pages come", telephone, async (page) => {
  const disperse = await crowd();
  try {
    const response = await answered(page, 503, "Back in a moment", () => signInAs(page, "alice"));
    assert.equal(await response.headerValue("Retry-After"), "1");
    assert.ok(await page.getByText("Please try again in a moment.").isVisible());
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      await assertFits(page);
      await assertAccessible(page);
    }
    await page.getByRole("link", { name: "Back to the home page" }).click();
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    await answered(page, 503, "Back in a moment", () => signInAs(page, "alice"));
  } finally {
    await disperse();
  }
  await arrive(page, "alice");
});
