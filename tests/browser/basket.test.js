// The basket of examples/: flashes, which the server itself sets none of.

import assert from "node:assert/strict";
import { after, before } from "node:test";
import { basket } from "./programs.js";
import { assertAccessible, assertFits, launch, visit } from "./visitor.js";

let browser, shop;
before(async () => {
  [browser, shop] = await Promise.all([launch(), basket()]);
});
after(async () => {
  shop?.stop();
  await browser?.close();
});

const plain = () => ({ browser, baseURL: shop.origin });

visit("a flash appears once", plain, async (page) => {
  const flash = page.getByRole("status").getByText("Sealing wax is in your basket.");
  await page.goto("/");
  assert.equal(await page.getByRole("status").count(), 0);
  await page.getByRole("button", { name: "Add Sealing wax" }).click();
  await flash.waitFor();
  assert.equal(await flash.count(), 1);
  await page.reload();
  await page.getByText("1 × Sealing wax").waitFor();
  assert.equal(await page.getByRole("status").count(), 0);
});

visit("flashes of several answers wait in their order", plain, async (page, context) => {
  await page.goto("/");
  const add = (product) => context.request.post(`${shop.origin}/add`, { form: { product }, maxRedirects: 0 });
  await add("quill");
  await add("wax");
  await page.goto("/");
  const flashes = await page.getByRole("status").getByRole("listitem").allTextContents();
  assert.deepEqual(flashes, ["Goose quill is in your basket.", "Sealing wax is in your basket."]);
});

visit("what was chosen is still there, whatever it is written in", plain, async (page) => {
  const note = `<script>alert("x")</script> & 'more'`;
  await page.goto("/");
  await page.getByLabel("Delivered by").selectOption("pigeon");
  await page.getByLabel("Note").fill(note);
  await page.getByLabel("Wrap it as a gift").check();
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText(`We noted: ${note}`).waitFor();
  await page.reload();
  assert.equal(await page.getByLabel("Delivered by").inputValue(), "pigeon");
  assert.equal(await page.getByLabel("Note").inputValue(), note);
  assert.ok(await page.getByLabel("Wrap it as a gift").isChecked());
});

for (const colorScheme of ["light", "dark"]) {
  const telephone = () => ({ ...plain(), colorScheme, viewport: { width: 320, height: 568 } });
  visit(`the basket with a flash, ${colorScheme}: it fits, and axe finds nothing`, telephone, async (page) => {
    await page.goto("/");
    await page.getByRole("button", { name: "Add Goose quill" }).click();
    await page.getByRole("status").waitFor();
    await assertFits(page);
    await assertAccessible(page);
  });
}
