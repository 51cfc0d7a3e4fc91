// Opens pages in Chromium as people meet them and writes what is wrong with each, as JSON, to standard output.
// usage: node look.cjs CHROMIUM VIEW,VIEW SCREENSHOT_FOLDER|- PAGE.html...
"use strict";
const fs = require("node:fs");
const path = require("node:path");
const { pathToFileURL } = require("node:url");
const { chromium } = require("playwright-core");

const AXE = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
// 320 CSS pixels wide is a 1280 pixel window at 400 % (WCAG 2.2, 1.4.10).
const VIEWS = {
  desktop: { width: 1280, height: 900 },
  phone: { width: 375, height: 812 },
  zoomed: { width: 320, height: 640 },
  print: { width: 794, height: 1123, media: "print" },
};
// Chromium cannot take a picture of any height; what is checked is not limited by it.
const TALLEST_PICTURE = 15000;
const LAUNCH = [
  "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
  "--no-first-run", ...(process.getuid && process.getuid() === 0 ? ["--no-sandbox"] : []),
];

const sidewaysScroll = () => {
  const room = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= room) return [];
  const wide = [...document.body.querySelectorAll("*")].filter((e) => e.getBoundingClientRect().right > room + 1);
  return wide.slice(0, 5).map((e) => `${e.tagName.toLowerCase()}.${e.className} is wider than the window`);
};

// WCAG 2.2, 1.4.12: the spacing that a reader may set without losing anything.
const spaceOut = () => {
  for (const element of document.body.querySelectorAll("*")) {
    element.style.setProperty("letter-spacing", "0.12em", "important");
    element.style.setProperty("word-spacing", "0.16em", "important");
    element.style.setProperty("line-height", "1.5", "important");
  }
};

const clipped = () => [...document.querySelectorAll("p, dd, dt, li, h1, h2, h3, h4, h5, summary, td, th")]
  .filter((e) => e.checkVisibility() && getComputedStyle(e).overflow === "hidden" && !e.closest(".unseen, thead"))
  .filter((e) => e.scrollHeight > e.clientHeight + 1)
  .map((e) => `${e.tagName.toLowerCase()} clips its text`);

// Text that runs down the page a letter or a syllable at a time.
const squashed = () => [...document.querySelectorAll("p, dd, li, caption, th, td, h1, h2, h3, h4, h5")]
  .filter((e) => e.checkVisibility({ contentVisibilityAuto: true }) && !e.closest(".unseen, thead") && e.textContent.trim().length > 12)
  .filter((e) => { const box = e.getBoundingClientRect(); return box.width < 60 && box.height > 96; })
  .map((e) => `${e.tagName.toLowerCase()} is squashed`);

const foldedOnPaper = () => [...document.querySelectorAll("details")]
  .filter((d) => !d.closest(".not-printed")) // it says on paper that it is left out, and where it stands
  .filter((d) => [...d.children].slice(1).some((e) => !e.checkVisibility({ contentVisibilityAuto: true }) || e.getBoundingClientRect().height === 0))
  .map((d) => `print leaves out what is under "${d.querySelector("summary").className || d.className}"`);

async function focusOrder(page) {
  const wrong = [];
  const expected = await page.evaluate(() => {
    const found = [...document.querySelectorAll("a[href], summary, input, select, button")].filter((e) => e.checkVisibility({ contentVisibilityAuto: true }));
    found.forEach((element, index) => { element.dataset.place = String(index); });
    return found.length;
  });
  for (let place = 0; place < expected; place += 1) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate(() => {
      const element = document.activeElement;
      const style = getComputedStyle(element);
      const box = element.getBoundingClientRect();
      return {
        place: element.dataset.place,
        outlined: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
        inView: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
      };
    });
    if (at.place !== String(place)) { wrong.push(`Tab ${place + 1} goes to element ${at.place}`); break; }
    if (!at.outlined) wrong.push(`no visible focus on element ${place}`);
    if (!at.inView) wrong.push(`focus on element ${place} is out of sight`);
  }
  return wrong;
}

async function skipLink(page) {
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  return (await page.evaluate(() => document.activeElement.id)) === "content" ? [] : ["the skip link does not reach the content"];
}

async function picture(page, view, shot) {
  const height = Math.min(await page.evaluate(() => document.documentElement.scrollHeight), TALLEST_PICTURE);
  await page.screenshot({ path: `${shot}.png`, fullPage: true, clip: { x: 0, y: 0, width: view.width, height } });
  if (view.media === "print") await page.pdf({ path: `${shot}.pdf`, format: "A4" });
}

async function look(browser, file, views, folder) {
  const found = { file: path.basename(file), wrong: [], views: {} };
  for (const name of views) {
    const view = VIEWS[name];
    const context = await browser.newContext({ viewport: { width: view.width, height: view.height }, reducedMotion: "reduce" });
    const page = await context.newPage();
    const wrong = [];
    page.on("dialog", (dialog) => { wrong.push("a dialog opened: a script ran"); dialog.dismiss(); });
    page.on("console", (message) => { if (message.type() === "error") wrong.push(`console: ${message.text()}`); });
    page.on("pageerror", () => wrong.push("a script failed: so a script ran"));
    page.on("request", (request) => { if (![pathToFileURL(file).href, "about:blank"].includes(request.url().split("#")[0])) wrong.push("it asked for something else"); });
    await page.goto(pathToFileURL(file).href);
    if (view.media) await page.emulateMedia({ media: view.media });
    if (folder !== "-") await picture(page, view, path.join(folder, `${path.basename(file, ".html")}-${name}`));
    wrong.push(...await page.evaluate(sidewaysScroll), ...await page.evaluate(squashed));
    if (view.media === "print") wrong.push(...await page.evaluate(foldedOnPaper));
    await page.evaluate(AXE);
    const axe = await page.evaluate((levels) => globalThis.axe.run(document, { runOnly: levels }), LEVELS);
    for (const rule of axe.violations) {
      wrong.push(...rule.nodes.slice(0, 5).map((node) => `axe ${rule.id}: ${rule.help} (${node.target.join(" ")})`));
    }
    const undecided = axe.incomplete.map((rule) => rule.id);
    if (name === "desktop") {
      wrong.push(...await skipLink(page));
      await page.goto("about:blank");
      await page.goto(pathToFileURL(file).href);
      wrong.push(...await focusOrder(page));
    }
    if (!view.media) {
      await page.evaluate(() => document.querySelectorAll("details").forEach((d) => { d.open = true; }));
      wrong.push(...(await page.evaluate(sidewaysScroll)).map((w) => `unfolded: ${w}`));
      await page.evaluate(spaceOut);
      wrong.push(...(await page.evaluate(sidewaysScroll)).map((w) => `spaced out: ${w}`), ...await page.evaluate(clipped));
    }
    found.views[name] = { rules_passed: axe.passes.length, undecided };
    found.wrong.push(...wrong.map((text) => `${name}: ${text}`));
    await context.close();
  }
  return found;
}

const main = async () => {
  const [executablePath, views, folder, ...files] = process.argv.slice(2);
  const browser = await chromium.launch({ executablePath, args: LAUNCH });
  try {
    const found = [];
    for (const file of files) found.push(await look(browser, path.resolve(file), views.split(","), folder));
    process.stdout.write(JSON.stringify(found, null, 2));
  } finally {
    await browser.close();
  }
};

main().catch((error) => {
  process.stderr.write(String(error).split("\n")[0]);
  process.exitCode = 1;
});
