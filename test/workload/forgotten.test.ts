import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Json, JsonObject } from "../../src/base/json.js";
import type { Author } from "../../src/workload/authors.js";
import {
  foldForgotten,
  forgottenOf,
  isFolded,
  type Signature,
  tombstoneDigest,
  tombstonesOf,
} from "../../src/workload/forgotten.js";

const KEY = "c0ffee";

function forget(signatures: readonly Signature[], logins: readonly string[] = []) {
  const kept = [
    ...signatures.flatMap(tombstonesOf),
    ...logins.map((text) => ({ kind: "login", text }) as const),
  ];
  return forgottenOf(KEY, new Set(kept.map(({ kind, text }) => tombstoneDigest(KEY, kind, text))));
}

const ADA = { name: "Ada Lovelace", mail: "ada@engine.example" };

describe("who is forgotten", () => {
  const forgotten = forget([ADA, { name: "Ada", mail: "7+ada@users.noreply.github.com" }]);

  it.each<[string, string]>([
    ["Ada Lovelace", "ada@engine.example"],
    ["Somebody Else", "ADA@Engine.example"],
    ["x", "ada@users.noreply.github.com"],
    ["x", "4711+Ada@users.noreply.github.com"],
  ])("is known again as %s <%s>", (name, mail) => {
    expect(forgotten.isForgotten({ name, mail })).toBe(true);
  });

  it.each<[string, string]>([
    ["Ada Lovelace", "ada@other.example"],
    ["Bob Hope", "ada@engine.example.org"],
    ["ada", "bada@users.noreply.github.com"],
  ])("is not %s <%s>: a name alone is no evidence", (name, mail) => {
    expect(forgotten.isForgotten({ name, mail })).toBe(false);
  });

  it("of a mail that many people write takes the name with it", () => {
    const root = forget([{ name: "Ada Lovelace", mail: "root@localhost" }]);
    expect(root.isForgotten({ name: "ada  lovelace", mail: "root@localhost" })).toBe(true);
    expect(root.isForgotten({ name: "Bob Hope", mail: "root@localhost" })).toBe(false);
  });

  it("under another key nobody is known, and no digest shows what it is of", () => {
    const [mail] = tombstonesOf(ADA);
    expect(tombstoneDigest("01", mail!.kind, mail!.text)).not.toBe(
      tombstoneDigest("02", mail!.kind, mail!.text),
    );
    expect(tombstoneDigest(KEY, "mail", "a")).not.toBe(tombstoneDigest(KEY, "login", "a"));
  });
});

describe("folding", () => {
  const line = (
    name: string,
    email: string,
    days: [number, number],
    more: Partial<Author> = {},
  ) => ({
    ...({ kind: "author", name, email, commitCount: 3 } as const),
    firstSeenAt: new Date(days[0] * 86_400_000),
    lastSeenAt: new Date(days[1] * 86_400_000),
    ...more,
  });

  it("makes one line a kind of all who are forgotten, with the sum and the span of their times", () => {
    const forgotten = forget([ADA, { name: "Eve", mail: "eve@x.example" }]);
    const bob = line("Bob", "bob@b.example", [1, 9]);
    const authors = [
      ...[line(ADA.name, ADA.mail, [5, 6]), bob, line("Eve", "eve@x.example", [2, 8])],
      line(ADA.name, ADA.mail, [4, 4], { kind: "co-author" }),
    ];
    const folded = foldForgotten(authors, forgotten);
    expect(folded).toEqual([
      bob,
      line("(forgotten)", "", [2, 8], { commitCount: 6 }),
      line("(forgotten)", "", [4, 4], { kind: "co-author" }),
    ]);
    expect(folded.filter(isFolded)).toHaveLength(2);
    // Read back from the claims and folded again with what is new.
    expect(foldForgotten([...folded, line(ADA.name, ADA.mail, [1, 1])], forgotten)).toContainEqual(
      line("(forgotten)", "", [1, 8], { commitCount: 9 }),
    );
  });
});

describe("what is scrubbed", () => {
  const path = "../../node_modules/@octokit/webhooks-examples/api.github.com/index.json";
  const examples = JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8")) as {
    readonly name: string;
    readonly examples: readonly JsonObject[];
  }[];

  it("of every example of a webhook no trace of its people is left, and the rest as it was", () => {
    const logins = ["codertocat", "octocat", "hacktocat"];
    const forgotten = forget([{ name: "The Octocat", mail: "octocat@github.com" }], logins);
    // Text that holds a document of its own is text.
    const isOwn = /\\"name\\":\\"Codertocat\\"/g;
    let count = 0;
    for (const { name, examples: bodies } of examples)
      for (const body of bodies) {
        count++;
        const text = JSON.stringify(forgotten.scrub(body)).replace(isOwn, "");
        expect(
          /.{0,40}(codertocat|octocat|hacktocat).{0,20}/i.exec(text)?.[0],
          name,
        ).toBeUndefined();
        expect(JSON.parse(text.replaceAll("(forgotten)", "x")).action).toBe(body.action);
      }
    expect(count).toBe(329);
  });

  it("nothing to forget gives back the very same value", () => {
    const [first] = examples;
    const body = first!.examples[0]!;
    expect(forget([ADA]).scrub(body)).toBe(body);
    expect(forgottenOf(KEY, new Set()).scrub(body)).toBe(body);
  });

  it.each<[Json, Json]>([
    ["Signed-off-by: Ada Lovelace <ada@engine.example>", "Signed-off-by: (forgotten)"],
    ["mail=ada@engine.example;'ada@engine.example'", "mail=(forgotten);'(forgotten)'"],
    ["ada lovelace", "(forgotten)"],
    ["by Ada Lovelace", "by Ada Lovelace"],
    [
      { name: "A", email: ADA.mail, date: "d" },
      { name: "(forgotten)", email: "(forgotten)", date: "d" },
    ],
    [
      { user: "ada", entity: "ada" },
      { user: "(forgotten)", entity: "ada" },
    ],
    [
      { added: ["ada/x.ts"], full_name: "ada/x" },
      { added: ["ada/x.ts"], full_name: "(forgotten)/x" },
    ],
    [
      "thanks @Ada, see https://github.com/ada/x",
      "thanks @(forgotten), see https://github.com/(forgotten)/x",
    ],
    ["@adalbert and adam@engine.example", "@adalbert and adam@engine.example"],
    [
      { author: { email: ADA.mail, username: "countess" }, sender: { login: "Countess", id: 7 } },
      {
        author: { username: "(forgotten)", email: "(forgotten)" },
        sender: { login: "(forgotten)" },
      },
    ],
  ])("%j", (json, expected) => {
    expect(forget([ADA], ["ada"]).scrub(json)).toEqual(expected);
  });

  it("knows the logins of an enterprise that manages its accounts, and underscores that are none of theirs", () => {
    const managed = forget([], ["ada_acme", "bob"]);
    expect(managed.scrub("@ada_acme, _@bob_ and @bob_acme: https://github.com/ada_acme/x")).toBe(
      "@(forgotten), _@(forgotten)_ and @bob_acme: https://github.com/(forgotten)/x",
    );
    const mail = "4711+ada_acme@users.noreply.github.com";
    expect(managed.isForgotten({ name: "x", mail })).toBe(true);
  });

  it.each(["a@", "<", "a<b@c>", "@a", "://x/", "from ", "é@x."])(
    "takes time in proportion to 1 MB of %j",
    (part) => {
      const text = part.repeat(1_000_000 / part.length);
      const startedAt = performance.now();
      forget([ADA]).scrub({ text });
      // About a second at most here; minutes where each place is looked at from each other.
      expect(performance.now() - startedAt).toBeLessThan(15_000);
    },
  );
});
