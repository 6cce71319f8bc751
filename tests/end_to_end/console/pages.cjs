// Looks at every page as people do: by eye (screenshots), by keyboard, on a phone, while money moves.
"use strict";
const assert = require("node:assert");
const path = require("node:path");
const { chromium } = require(process.env.PLAYWRIGHT_CORE);

const [origin, account] = process.argv.slice(2);
const kept = process.env.KEPT;
// Other tests may run beside it.
const WITHIN = 120_000;
const PAGES = [
  ["overview", "/"],
  ["wallet", `/accounts/${account}`],
  ["bills", `/accounts/${account}/bills`],
  ["payments", `/accounts/${account}/payments`],
  ["invoices", `/accounts/${account}/invoices`],
  ["runway", `/accounts/${account}/runway`],
  ["explain", `/explain/${account}.e1`],
  ["prices", "/prices"],
  ["mail", "/mail"],
  ["letter", "/mail/1.eml"],
  ["send", "/send"],
  ["rejects", "/rejects"],
  ["docs", "/docs"],
];

const main = async () => {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
  });
  const said = [];
  const watch = (page, name) => {
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) said.push(`${name}: ${message.text()}`);
    });
    page.on("pageerror", (error) => said.push(`${name}: ${error}`));
    page.on("request", (request) => {
      if (!request.url().startsWith(origin)) said.push(`${name} asks elsewhere: ${request.url()}`);
    });
  };
  const widths = [["", { width: 1280, height: 900 }, "light"], ["-dark", { width: 1280, height: 900 }, "dark"], ["-phone", { width: 375, height: 812 }, "light"]];
  for (const [suffix, viewport, colorScheme] of widths) {
    const context = await browser.newContext({ viewport, colorScheme });
    context.setDefaultTimeout(WITHIN);
    await context.tracing.start({ screenshots: true });
    for (const [name, place] of PAGES) {
      const page = await context.newPage();
      watch(page, name + suffix);
      const answer = await page.goto(origin + place, { waitUntil: "load" });
      assert.equal(answer.status(), 200, name);
      assert.equal(await page.locator("h1").count(), 1, `${name} has one heading`);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.ok(wide <= 0, `${name}${suffix} scrolls sideways by ${wide}`);
      const nameless = await page.evaluate(() =>
        [...document.querySelectorAll("a, button, input:not([type=hidden]), iframe, [role=region], svg[role=img]")]
          .filter((element) => !(element.textContent.trim() || element.getAttribute("aria-label") || element.title || element.labels?.length))
          .map((element) => element.outerHTML.slice(0, 120)));
      assert.deepEqual(nameless, [], `${name} has things without a name`);
      await page.screenshot({ path: path.join(kept, `${name}${suffix}.png`), fullPage: name !== "docs" });
      await page.close();
    }
    await context.tracing.stop({ path: path.join(kept, `trace${suffix}.zip`) });
    await context.close();
  }

  // Money comes in while somebody looks: the figure changes without a reload.
  const context = await browser.newContext();
  context.setDefaultTimeout(WITHIN);
  await context.tracing.start({ screenshots: true });
  const page = await context.newPage();
  watch(page, "live");
  await page.goto(`${origin}/accounts/${account}`);
  const available = page.locator("[data-field=available]");
  await page.locator("[data-live-state]", { hasText: "live" }).waitFor();
  const before = await available.textContent();
  // By keyboard alone: the first thing is a way past the navigation, and the form can be sent.
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
  await page.keyboard.press("Enter");
  for (let step = 0; step < 80; step += 1) {
    await page.keyboard.press("Tab");
    if (await page.evaluate(() => document.activeElement.name === "amount")) break;
  }
  assert.equal(await page.evaluate(() => document.activeElement.name), "amount");
  await page.keyboard.type("1234.50");
  await page.keyboard.press("Enter");
  await page.locator("form[data-do=top_up] output.good").waitFor();
  await page.waitForFunction((before) => document.querySelector("[data-field=available]").textContent !== before, before);
  const number = (text) => Number(text.replace("−", "-").replaceAll(",", ""));
  const after = await available.textContent();
  assert.ok(number(after) - number(before) > 1200, `${before} became ${after}`);
  // The list of entries follows by itself.
  await page.locator("#entries td", { hasText: "1,234.50" }).first().waitFor();
  await page.screenshot({ path: path.join(kept, "wallet-topped-up.png"), fullPage: true });
  // What was done is not done again by one more Enter.
  assert.equal(await page.locator("form[data-do=top_up] input[name=amount]").inputValue(), "");

  // The figures add up as they are shown.
  const figures = await page.evaluate(() => [...document.querySelectorAll("[data-field]")].map((figure) => [figure.dataset.field, figure.textContent]));
  const figure = Object.fromEntries(figures.map(([field, text]) => [field, Math.round(number(text) * 100)]));
  const held = figure.cash + figure.credit_limit + figure.credit_refund;
  assert.equal(figure.available, held - figure["unsettled_current unsettled_previous"], JSON.stringify(figures));

  // The time by which all this happens stands on every page.
  await page.locator("[data-now] time", { hasText: "UTC" }).waitFor();

  // A page that is not there is a page all the same.
  const nowhere = await context.newPage();
  const missing = await nowhere.goto(`${origin}/nowhere`);
  assert.equal(missing.status(), 404);
  await nowhere.locator("h1", { hasText: "Not Found" }).waitFor();
  await nowhere.screenshot({ path: path.join(kept, "nowhere.png") });
  await nowhere.close();

  // What is refused says why.
  await page.locator("form[data-do=top_up] input[name=amount]").fill("0.01");
  await page.locator("form[data-do=top_up] button").click();
  await page.locator("form[data-do=top_up] output.bad", { hasText: "the smallest top-up is 20 USD; this is 0.01 USD" }).waitFor();

  // An amount leads to where it comes from, by keyboard, too.
  await page.locator("#entries td a", { hasText: "1,234.50" }).first().focus();
  await page.keyboard.press("Enter");
  await page.locator("h1", { hasText: "1,234.50 USD" }).waitFor();
  await page.locator(".verdict.good").waitFor();
  await page.screenshot({ path: path.join(kept, "explained.png"), fullPage: true });

  // Of the API only what is looked for.
  await page.goto(`${origin}/docs`);
  await page.locator("input[type=search]").fill("do/top_up");
  await page.locator(".operation:visible code", { hasText: "/v1/do/top_up" }).first().waitFor();
  assert.equal(await page.locator(".operation:visible").count(), 1);

  // A record sent from the page is charged.
  await page.goto(`${origin}/send?account=${account.replace("ba-", "")}`);
  await page.locator("input[name=product]").fill("compute");
  await page.locator("input[name=meter]").fill("vcpu_hours");
  await page.locator("button").click();
  await page.locator("output.good", { hasText: "On the log" }).waitFor();
  await context.tracing.stop({ path: path.join(kept, "trace-live.zip") });
  await browser.close();
  const errors = said.filter((line) => !line.includes("422"));
  assert.equal(errors.join("\n"), "", "the browser's console is quiet");
  console.log(`${PAGES.length * widths.length} pages`);
};

main().catch((error) => { console.error(error); process.exit(1); });
