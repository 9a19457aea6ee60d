// Makes the secrets of docker-compose.prod.yml, once, in a folder that Git and the build ignore. What is there is left as
// it is: running it again rotates nothing. No value is printed.
import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const [named] = process.argv.slice(2);
const folder = named ?? join(dirname(fileURLToPath(import.meta.url)), "secrets");

/** Letters, digits, `-` and `_`: they stand in URLs and in redis.conf as they are. */
const random = (bytes) => randomBytes(bytes).toString("base64url");

/** The value that is there, or the new one. Readable for the user of the containers, who is not the one of this machine. */
function keep(name, make) {
  const file = join(folder, name);
  if (existsSync(file)) {
    process.stdout.write(`${name}: kept\n`);
    return readFileSync(file, "utf8").trimEnd();
  }
  const value = make();
  writeFileSync(file, `${value}\n`, { flag: "wx", mode: 0o444 });
  process.stdout.write(`${name}: made\n`);
  return value;
}

mkdirSync(folder, { recursive: true });
// The files must be readable for other users inside the containers, so the folder is what keeps this machine's people out.
chmodSync(folder, 0o700);
const database = keep("postgres-password", () => random(32));
const redis = keep("redis.conf", () => `requirepass ${random(32)}\nsave ""\nappendonly no`);
keep("JWT_SECRET", () => random(64));
keep("DATABASE_URL", () => `postgresql://algobrain:${database}@postgres:5432/algobrain`);
keep("REDIS_URL", () => `redis://:${/^requirepass (\S+)/m.exec(redis)[1]}@redis:6379`);
