// Lays Amazon's certificate authorities for databases into the image (AWS manual, "Using SSL/TLS to encrypt a connection to a
// DB cluster"): they are Amazon's own, and no system knows them. Without them a verified connection to Aurora is refused.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { authoritiesIn } from "./authorities.mjs";

const SOURCE = "https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem";
const DEADLINE_MS = 30_000;

const [target] = process.argv.slice(2);
if (target === undefined) {
  process.stderr.write("fetch-authorities.mjs: name the file that takes them\n");
  process.exit(2);
}
const answer = await fetch(SOURCE, { signal: AbortSignal.timeout(DEADLINE_MS) });
if (!answer.ok) throw new Error(`${SOURCE} answered ${answer.status}, expected 200`);
const found = authoritiesIn(await answer.text(), new Date());
mkdirSync(dirname(target), { recursive: true });
writeFileSync(target, `${found.join("\n")}\n`);
process.stdout.write(`${found.length} authorities in ${target}\n`);
