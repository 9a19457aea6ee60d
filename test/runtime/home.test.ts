import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ensureHome } from "../../src/runtime/home.js";

async function inFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "algobrain-home-"));
  try {
    await test(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe("ALGOBRAIN_HOME", () => {
  it("is made when it is missing, and nothing is left in it", () =>
    inFolder(async (folder) => {
      await ensureHome(join(folder, "a", "home"));
      expect(readdirSync(join(folder, "a", "home"))).toEqual([]);
    }));

  it("that is a file, or inside one, is refused by name", () =>
    inFolder(async (folder) => {
      const file = join(folder, "file");
      writeFileSync(file, "");
      for (const home of [file, join(file, "home")]) {
        await expect(ensureHome(home)).rejects.toMatchObject({
          kind: "refused",
          message: expect.stringMatching(`^ALGOBRAIN_HOME: found ${home}, but it is not a folder`),
        });
      }
    }));
});
