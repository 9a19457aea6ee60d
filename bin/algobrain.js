#!/usr/bin/env node
// In words that every Node since 14 reads, so that whoever starts it too early is told so.
import { existsSync } from "node:fs";

const NODE_MIN = [20, 19];
const program = new URL("../dist/src/cli.js", import.meta.url);

function whyNot() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major < NODE_MIN[0] || (major === NODE_MIN[0] && minor < NODE_MIN[1]))
    return `this is Node ${process.versions.node}, and ${NODE_MIN.join(".")} or newer is needed`;
  if (!existsSync(program)) return 'it is not built yet: run "npm ci" in the checkout';
  return null;
}

async function main() {
  const refusal = whyNot();
  if (refusal !== null) return refuse(refusal);
  try {
    const { runCli } = await import(program.href);
    return await runCli(process.argv.slice(2));
  } catch (error) {
    if (error.code !== "ERR_MODULE_NOT_FOUND") throw error;
    return refuse(`a part of it is missing: run "npm ci" in the checkout (${error.message})`);
  }
}

function refuse(sentence) {
  process.stderr.write(`algobrain: ${sentence}\n`);
  return 1;
}

process.exitCode = await main();
