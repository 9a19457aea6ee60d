#!/usr/bin/env node
import { existsSync } from "node:fs";

const program = new URL("../dist/src/cli.js", import.meta.url);
if (existsSync(program)) {
  const { runCli } = await import(program.href);
  process.exitCode = await runCli(process.argv.slice(2));
} else {
  console.error("algobrain is not built here: run `npm ci`, or `npm run build` after an edit");
  process.exitCode = 1;
}
