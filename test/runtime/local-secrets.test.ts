import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Config, readConfig } from "../../src/runtime/config.js";
import { withLocalSecrets } from "../../src/runtime/local-secrets.js";

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "algobrain-home-"));
});
afterEach(() => rm(home, { recursive: true }));

function config(env: Record<string, string> = {}): Config {
  const read = readConfig({ ALGOBRAIN_HOME: home, ...env });
  if (!read.ok) throw new Error("the environment of this test is wrong");
  return read.value;
}

describe("withLocalSecrets", () => {
  it("makes a signing secret that only its owner may read, and keeps it", async () => {
    const first = await withLocalSecrets(config());
    const second = await withLocalSecrets(config());
    expect(first.auth.jwtSecrets?.[0]).toMatch(/^[\w-]{64}$/);
    expect(second.auth.jwtSecrets).toEqual(first.auth.jwtSecrets);
    expect((await stat(join(home, "secrets.json"))).mode & 0o777).toBe(0o600);
  });

  it("gives processes that start together the same secret", async () => {
    const made = await Promise.all([1, 2, 3, 4].map(() => withLocalSecrets(config())));
    expect(new Set(made.map(({ auth }) => auth.jwtSecrets?.[0])).size).toBe(1);
  });

  it("redacts what it made", async () => {
    const made = await withLocalSecrets(config());
    expect(made.secrets).toContain(made.auth.jwtSecrets?.[0]);
  });

  it("writes nothing when a secret is given", async () => {
    const given = await withLocalSecrets(config({ JWT_SECRET: "given-by-the-person" }));
    expect(given.auth.jwtSecrets).toEqual(["given-by-the-person"]);
    await expect(readFile(join(home, "secrets.json"))).rejects.toThrow("ENOENT");
  });

  it("says what to do when the file is broken, and does not replace it", async () => {
    await writeFile(join(home, "secrets.json"), "{");
    await expect(withLocalSecrets(config())).rejects.toMatchObject({
      code: "LOCAL_SECRETS_UNREADABLE",
      hint: expect.stringContaining("remove the file"),
    });
  });
});
