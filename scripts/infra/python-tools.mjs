// Python programs of the infrastructure suite, each in a private environment that is made once and kept between runs:
// `node scripts/infra/python-tools.mjs [moto] [checkov]` prints {"moto": "/…/bin/moto_server", …, "why": {}}.
// A program that cannot be had is null there, and `why` says what is missing: its suites are then skipped by name.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const PINS = join(dirname(fileURLToPath(import.meta.url)), "requirements.txt");
/** The program that each gives. */
const PROGRAMS = { moto: "moto_server", checkov: "checkov" };
/** moto takes one minute on a slow machine, checkov as long. */
const INSTALL_MS = 300_000;
const LOOK_MS = 500;
const PYTHON_MIN = "3.9";
/** Both modules are missing on a Debian without python3-venv, where python3 itself works. */
const IS_FIT = `import sys, venv, ensurepip; sys.exit(0 if sys.version_info >= (${PYTHON_MIN.replace(".", ", ")}) else 3)`;

/** Kept outside the repository: `npm ci` and `git clean` would take hundreds of megabytes away each time. */
function cacheFolder() {
  return process.env.ALGOBRAIN_TEST_CACHE || join(homedir(), ".cache", "algobrain-infra");
}

function pinOf(tool) {
  const lines = readFileSync(PINS, "utf8").split("\n");
  const pin = lines.find((line) => line.split(/[[=]/)[0] === tool);
  if (!pin) throw new Error(`${PINS}: found no pin of ${tool}, expected ${tool}==<version>`);
  return pin.trim();
}

/** `{ path }`, or `{ path: null, why }`. Never throws for what the machine lacks. */
export async function pythonTool(tool) {
  const pin = pinOf(tool);
  const hash = createHash("sha256").update(pin).digest("hex").slice(0, 12);
  const folder = join(cacheFolder(), `${tool}-${hash}`);
  const program = join(folder, "bin", PROGRAMS[tool]);
  if (isMade(folder, program)) return { path: program };
  mkdirSync(cacheFolder(), { recursive: true });
  const why = await asTheOnlyOne(`${folder}.making`, () => make(folder, program, pin));
  return isMade(folder, program) ? { path: program } : { path: null, why };
}

/** Written last: an installation that was cut is not taken for a whole one. */
const markerOf = (folder) => join(folder, ".made");
const isMade = (folder, program) => existsSync(markerOf(folder)) && existsSync(program);

/** Two test runs at once must not install into each other's hands: the lock holds the number of its process. */
async function asTheOnlyOne(lock, work) {
  const deadline = performance.now() + 2 * INSTALL_MS;
  while (!takeLock(lock)) {
    if (performance.now() > deadline) return `${lock} was held for too long: remove it`;
    await sleep(LOOK_MS);
  }
  try {
    return await work();
  } finally {
    rmSync(lock, { force: true });
  }
}

function takeLock(lock) {
  try {
    writeFileSync(lock, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
    if (!isHeld(lock)) rmSync(lock, { force: true });
    return false;
  }
}

function isHeld(lock) {
  try {
    const holder = Number(readFileSync(lock, "utf8"));
    // Its maker has made the file and not yet written its number.
    if (!holder) return true;
    process.kill(holder, 0);
    return true;
  } catch (error) {
    // Only a process that is gone holds nothing: a lock that has just gone may be another's by now.
    return error.code !== "ESRCH";
  }
}

/** Undefined when it is made, else why not. */
async function make(folder, program, pin) {
  if (isMade(folder, program)) return undefined;
  const python = findPython();
  if (!python)
    return `found no python3 of ${PYTHON_MIN} or newer with venv and ensurepip: install python3 and python3-venv`;
  rmSync(folder, { recursive: true, force: true });
  const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"];
  const said =
    (await run(python, ["-m", "venv", folder])) ??
    (await run(join(folder, "bin", "python"), [...pip, "--prefer-binary", pin]));
  if (said !== undefined) return `pip install "${pin}": ${said}`;
  writeFileSync(markerOf(folder), `${pin}\n`);
  return undefined;
}

function findPython() {
  return ["python3", "python"].find(
    (name) => spawnSync(name, ["-c", IS_FIT], { stdio: "ignore", timeout: 20_000 }).status === 0,
  );
}

/** Undefined when it succeeded, else its last words. Beside one another: they wait for the network. */
function run(program, args) {
  return new Promise((resolve) => {
    const options = { stdio: ["ignore", "ignore", "pipe"], timeout: INSTALL_MS };
    const child = spawn(program, args, options);
    let said = "";
    child.stderr.on("data", (chunk) => {
      said = `${said}${chunk}`.slice(-2_000);
    });
    child.on("error", (error) => resolve(error.message));
    child.on("close", (code, signal) => {
      if (code === 0) resolve(undefined);
      else resolve(said.trim().split("\n").at(-1) || `it ended with ${signal ?? code}`);
    });
  });
}

/** All of them at once. */
export async function pythonTools(tools = Object.keys(PROGRAMS)) {
  const found = await Promise.all(tools.map(async (tool) => [tool, await pythonTool(tool)]));
  const why = found.filter(([, { path }]) => path === null).map(([tool, { why }]) => [tool, why]);
  return {
    ...Object.fromEntries(found.map(([tool, { path }]) => [tool, path])),
    why: Object.fromEntries(why),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const asked = process.argv.slice(2);
  const unknown = asked.find((tool) => !Object.hasOwn(PROGRAMS, tool));
  if (unknown !== undefined) {
    console.error(`found "${unknown}", expected ${Object.keys(PROGRAMS).join(" or ")}`);
    process.exit(2);
  }
  console.log(JSON.stringify(await pythonTools(asked.length > 0 ? asked : undefined)));
}
