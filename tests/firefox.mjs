// Somebody at a real Firefox: joins the room at an address, says something, and waits for an answer.
//
//     node firefox.mjs NODE_MODULES FIREFOX ADDRESS
//
// prints what stands in the log, and whatever went wrong in the page.

import { createRequire } from "node:module";

const [folder, executablePath, address] = process.argv.slice(2);
const puppeteer = createRequire(`${folder}/`)("puppeteer-core");
const browser = await puppeteer.launch({ browser: "firefox", executablePath, headless: true });
try {
  const page = await browser.newPage();
  page.on("pageerror", (error) => console.log("error:", error.message));
  await page.goto(address);
  await page.type("#handle", "Jimmy\n");
  await page.waitForSelector("#message", { visible: true });
  await page.type("#message", "hi from afar\n");
  await page.waitForSelector("::-p-text(welcome, Jimmy)");
  await page.reload();
  await page.waitForSelector("::-p-text(welcome, Jimmy)");
  console.log(await page.$eval("[role=log]", (log) => log.innerText));
} finally {
  await browser.close();
}
