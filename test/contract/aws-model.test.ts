/** What the adapter of AWS is made of: operations that exist, libraries that are loaded late, and not too many megabytes. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "..", "..");
const ADAPTER = join(ROOT, "src", "adapter");
const sources = readdirSync(ADAPTER)
  .filter((name) => /^aws.*\.ts$/.test(name))
  .map((name) => ({ name, text: readFileSync(join(ADAPTER, name), "utf8") }));
const packages = [
  ...new Set(
    sources.flatMap(({ text }) =>
      [...text.matchAll(/@aws-sdk\/client-[a-z0-9-]+/g)].map(([name]) => name),
    ),
  ),
].sort();

describe("X-19: only operations that exist", () => {
  const asked = sources.flatMap(({ name, text }) =>
    [
      ...text.matchAll(/const (\w+|\{[^{}]*\}) = await import\("(@aws-sdk\/[a-z0-9-]+)"\)/g),
    ].flatMap(([, taken = "", library = ""]) => {
      const of = taken.startsWith("{") ? taken : text.replaceAll(/new (?!sdk\.)\w+/g, "");
      const commands = of.match(/\w+Command\b/g) ?? [];
      return [...new Set(commands)].map((command) => ({ name, library, command }));
    }),
  );

  test("each is a command of its service's own client, which is made of the service's model", async () => {
    expect(asked.length).toBeGreaterThan(30);
    for (const { name, library, command } of asked) {
      const client = (await import(library)) as Record<string, unknown>;
      expect(typeof client[command], `${name}: ${library} ${command}`).toBe("function");
    }
  });

  test("the handbook's `rds create-db-cluster-reader` is none, and nobody here asks for it", async () => {
    const client = (await import("@aws-sdk/client-rds")) as Record<string, unknown>;
    const made = Object.keys(client).filter((name) => /DBClusterReader/i.test(name));
    expect(made).toEqual([]);
    expect(asked.map(({ command }) => command).join()).not.toMatch(/ClusterReader/i);
  });

  test("recorded operations are named by their commands, so a bundler must not rename them", async () => {
    const { UpdateServiceCommand } = await import("@aws-sdk/client-ecs");
    expect(UpdateServiceCommand.name).toBe("UpdateServiceCommand");
  });
});

test("loading the adapter loads no client: each is imported where it is first used", () => {
  const early = sources.flatMap(({ name, text }) =>
    [...text.matchAll(/^import (?!type )[^;]*?from "(@aws-sdk\/[^"]+)";/gms)].map(
      ([, library]) => `${name}: ${library}`,
    ),
  );
  expect(early).toEqual([]);
});

test("the clients weigh 40 MB at most", () => {
  expect(packages.length).toBeGreaterThan(10);
  const bytes = packages.reduce(
    (sum, name) => sum + weightOf(join(ROOT, "node_modules", ...name.split("/"))),
    0,
  );
  expect(bytes / 1e6).toBeLessThan(40);
});

function weightOf(folder: string): number {
  return readdirSync(folder, { withFileTypes: true }).reduce((sum, entry) => {
    const path = join(folder, entry.name);
    return sum + (entry.isDirectory() ? weightOf(path) : statSync(path).size);
  }, 0);
}
