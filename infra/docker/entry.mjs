// Starts the program inside an image: secrets that are mounted as files become its settings, and a file is touched as
// long as the process gets round to it, which health.mjs looks at.
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const SECRETS = process.env.SECRETS_DIR ?? "/run/secrets";
/** A secret of ours is some hundred bytes; a key of an app, a few thousand. */
const SECRET_MAX_BYTES = 64 * 1024;
const BEAT_MS = 5_000;

/** `/run/secrets/JWT_SECRET` is JWT_SECRET. What is set already wins: so does ECS, which sets them by itself. */
function readSecrets() {
  for (const name of namesIn(SECRETS)) {
    const file = join(SECRETS, name);
    if (!/^[A-Z][A-Z0-9_]*$/.test(name) || process.env[name] !== undefined) continue;
    if (statSync(file).size > SECRET_MAX_BYTES)
      throw new Error(`${file} is larger than ${SECRET_MAX_BYTES} bytes: no secret is`);
    process.env[name] = readFileSync(file, "utf8").trimEnd();
  }
}

function namesIn(folder) {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
    return [];
  }
}

function beat() {
  writeFileSync(join(tmpdir(), "algobrain-alive"), `${process.pid}\n`);
}

readSecrets();
beat();
setInterval(beat, BEAT_MS).unref();
await import("../../bin/algobrain.js");
