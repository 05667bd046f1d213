// Cookies of one name that a browser holds for several domains, after SESSION_DOMAIN was changed; and a proxy
// that does not tell the host.

import assert from "node:assert/strict";
import { createServer, request as ask } from "node:http";
import { after, before } from "node:test";
import { entry, waxseal } from "./programs.js";
import { answered, assertSignedIn, assertSignedOut, launch, signIn, visit } from "./visitor.js";

const USERS = ["alice", "bob"].map((name) => entry(name, `${name}'s`)).join("\n");

let browser;
const opened = [];
before(async () => {
  browser = await launch();
});
after(async () => {
  for (const server of opened) server.close();
  await browser?.close();
});

/** A site that is deployed anew with other variables, always at the same address. */
async function site(rewriteHost = false) {
  let running, port;
  const proxy = createServer((asked, answer) => {
    const headers = rewriteHost ? { ...asked.headers, host: `127.0.0.1:${port}` } : asked.headers;
    const to = { host: "127.0.0.1", port, path: asked.url, method: asked.method, headers };
    const passed = ask(to, (came) => {
      answer.writeHead(came.statusCode, came.rawHeaders);
      came.pipe(answer);
    });
    passed.on("error", () => answer.destroy());
    asked.pipe(passed);
  });
  await new Promise((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  opened.push({ close: () => (running?.stop(), proxy.close(), proxy.closeAllConnections()) });
  return {
    port: proxy.address().port,
    async deploy(variables) {
      running?.stop();
      running = await waxseal({ USERS, ...variables });
      port = new URL(running.origin).port;
    },
  };
}

const plain = () => ({ browser });

/** A page of the site at `host`: relative addresses are of that host. */
async function come(context, place, host = "www.site.test") {
  const page = await context.newPage();
  const goto = page.goto.bind(page);
  page.goto = (path, ...rest) => goto(new URL(path, `http://${host}:${place.port}`).href, ...rest);
  return page;
}

async function arrive(page, username) {
  await signIn(page, { username, password: `${username}'s` });
  await page.getByRole("heading", { name: `Hello ${username}`, exact: true }).waitFor();
}

async function leave(page) {
  await page.getByRole("button", { name: "Logout" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
}

/** The domains for which the browser holds the session's cookie. */
async function domains(context) {
  const cookies = await context.cookies();
  return cookies.filter(({ name }) => name === "waxseal").map(({ domain }) => domain).sort();
}

const CHANGES = [
  ["www to parent", { SESSION_DOMAIN: "www.site.test" }, { SESSION_DOMAIN: "site.test" }, [".site.test"]],
  ["host-only to a domain", {}, { SESSION_DOMAIN: "site.test" }, [".site.test"]],
  // What lies above the domain belongs to others, too: it is left, and its session has ended.
  [
    "parent to www", { SESSION_DOMAIN: "site.test" }, { SESSION_DOMAIN: "www.site.test" },
    [".site.test", ".www.site.test"],
  ],
];
for (const [what, before, after, left] of CHANGES) {
  visit(`${what}: one person never becomes another`, plain, async (_, context) => {
    const place = await site();
    await place.deploy(before);
    const page = await come(context, place);
    await arrive(page, "alice");
    await place.deploy(after);
    await assertSignedIn(page, "alice");
    await leave(page);
    await assertSignedOut(page);
    await arrive(page, "bob");
    assert.deepEqual(await domains(context), left);
    await place.deploy(after);
    await assertSignedIn(page, "bob");
    await leave(page);
    await assertSignedOut(page);
  });
}

visit("a sign-out ends both sessions of which the browser holds cookies", plain, async (_, context) => {
  const place = await site();
  await place.deploy({ SESSION_DOMAIN: "www.site.test" });
  const page = await come(context, place);
  await arrive(page, "alice");
  // At the other host the older cookie does not go along: it stays, beside a new one.
  await place.deploy({ SESSION_DOMAIN: "site.test" });
  const other = await come(context, place, "site.test");
  await arrive(other, "bob");
  assert.deepEqual(await domains(context), [".site.test", ".www.site.test"]);
  const both = await context.cookies();
  await assertSignedIn(page, "bob");
  await leave(page);
  assert.deepEqual(await domains(context), []);
  for (const cookie of both.filter(({ name }) => name === "waxseal")) {
    await context.addCookies([cookie]);
    await assertSignedOut(page);
    await context.clearCookies();
  }
});

visit("behind a proxy that tells another host, PUBLIC_URL says which site it is", plain, async (_, context) => {
  const place = await site(true);
  await place.deploy({});
  const page = await come(context, place);
  const tried = () => signIn(page, { username: "alice", password: "alice's" });
  await answered(page, 403, "Not allowed", tried);
  await place.deploy({ PUBLIC_URL: `http://www.site.test:${place.port}/` });
  await arrive(page, "alice");
});
