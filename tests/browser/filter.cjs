// Uses the filters of a conformance report as a reader does, and without script; writes what was seen, as JSON.
// usage: node filter.cjs CHROMIUM PAGE.html
"use strict";
const path = require("node:path");
const { pathToFileURL } = require("node:url");
const { chromium } = require("playwright-core");

const LIST = "#finder ~ details.requirement";

const main = async () => {
  const [executablePath, file] = process.argv.slice(2);
  const url = pathToFileURL(path.resolve(file)).href;
  const args = ["--disable-gpu", ...(process.getuid && process.getuid() === 0 ? ["--no-sandbox"] : [])];
  const browser = await chromium.launch({ executablePath, args });
  try {
    const seen = {};
    const page = await browser.newPage();
    await page.goto(url);
    const shown = () => page.locator(`${LIST}:visible`).count();
    seen.all = await shown();
    await page.selectOption("#by-outcome", "fail");
    seen.failed = await shown();
    await page.selectOption("#by-outcome", "");
    await page.fill("#find", "UKC-05");
    seen.searched = await shown();
    seen.said = await page.textContent("#found");
    await page.fill("#find", "no requirement has these words");
    seen.nothing = await shown();
    // A link to a requirement that is filtered away shows it, opened.
    await page.locator("#failed ~ ul a").first().click();
    // The page hears of the link's hash after the click has returned.
    const opened = () => {
      const target = location.hash && document.querySelector(location.hash);
      return Boolean(target) && target.open && !target.hidden;
    };
    seen.linked = await page.waitForFunction(opened, null, { timeout: 10000 }).then(() => true, () => false);
    const context = await browser.newContext({ javaScriptEnabled: false });
    const plain = await context.newPage();
    await plain.goto(url);
    seen.without_script = await plain.locator(`${LIST}:visible`).count();
    seen.finder_without_script = await plain.locator("#finder").isVisible();
    process.stdout.write(JSON.stringify(seen));
  } finally {
    await browser.close();
  }
};

main().catch((error) => {
  process.stderr.write(String(error).split("\n")[0]);
  process.exitCode = 1;
});
