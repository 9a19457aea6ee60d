#!/usr/bin/env node
// In words that every Node since 14 reads, so that whoever starts it too early is told so.
import { existsSync } from "node:fs";

const NODE_MIN = [20, 19];
const program = new URL("../dist/src/cli.js", import.meta.url);

function whyNot() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major < NODE_MIN[0] || (major === NODE_MIN[0] && minor < NODE_MIN[1]))
    return `this is Node ${process.versions.node}, and ${NODE_MIN.join(".")} or newer is needed`;
  if (!existsSync(program)) return "it is not built yet: run `npm ci` in the checkout";
  return null;
}

async function load() {
  try {
    return await import(program.href);
  } catch (error) {
    if (error.code !== "ERR_MODULE_NOT_FOUND") throw error;
    return null;
  }
}

const refusal = whyNot();
const cli = refusal === null ? await load() : null;
if (cli !== null) process.exitCode = await cli.runCli(process.argv.slice(2));
else {
  const sentence = refusal ?? "a part of it is missing: run `npm ci` in the checkout";
  process.stderr.write(`algobrain: ${sentence}\n`);
  process.exitCode = 1;
}
