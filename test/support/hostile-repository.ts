/**
 * Repositories that want to harm whoever reads them. No git program is ever started in one after it has been
 * made: some would hold it for ever.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { appendFileSync, chmodSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { deflateSync } from "node:zlib";

/** Of githooks(5). */
const HOOKS = [
  ...["applypatch-msg", "pre-applypatch", "post-applypatch", "pre-commit", "pre-merge-commit"],
  ...[
    "prepare-commit-msg",
    "commit-msg",
    "post-commit",
    "pre-rebase",
    "post-checkout",
    "post-merge",
  ],
  ...["pre-push", "pre-receive", "update", "proc-receive", "post-receive", "post-update"],
  ...[
    "reference-transaction",
    "push-to-checkout",
    "pre-auto-gc",
    "post-rewrite",
    "sendemail-validate",
  ],
  ...["fsmonitor-watchman", "p4-changelist", "post-index-change"],
];

/** Every hook touches `trap`. */
export function plantHooks(gitDir: string, trap: string): void {
  const hooks = join(gitDir, "hooks");
  mkdirSync(hooks, { recursive: true });
  for (const name of HOOKS) {
    writeFileSync(join(hooks, name), `#!/bin/sh\ntouch '${trap}'\n`);
    chmodSync(join(hooks, name), 0o755);
  }
}

/** Settings that make git start a program, in every version that has them. */
export function plantPrograms(gitDir: string, trap: string): void {
  const program = `touch ${trap}; false`;
  const core = [
    "fsmonitor",
    "pager",
    "sshCommand",
    "editor",
    "askPass",
    "gitProxy",
    "alternateRefsCommand",
  ];
  const lines = core.map((key) => `\t${key} = "${program}"`);
  appendFileSync(
    join(gitDir, "config"),
    [
      `[core]\n\tworktree = /\n\thooksPath = ${join(gitDir, "hooks")}\n${lines.join("\n")}`,
      `[gpg]\n\tprogram = "${program}"\n[log]\n\tshowSignature = true\n\tmailmap = false`,
      `[diff]\n\texternal = "${program}"\n[credential]\n\thelper = "!${program}"`,
      `[uploadpack]\n\tpackObjectsHook = "${program}"\n[protocol "ext"]\n\tallow = always`,
      `[remote "origin"]\n\tpromisor = true\n\tpartialclonefilter = blob:none\n\turl = "ext::sh -c touch% ${trap}"`,
      `[submodule "x"]\n\turl = "ext::sh -c touch% ${trap}"\n\tupdate = "!${program}"`,
      `[filter "x"]\n\tsmudge = "${program}"\n\tclean = "${program}"\n[alias]\n\trev-list = "!${program}"\n`,
    ].join("\n"),
  );
}

/** A pipe that nobody writes to: opening it lasts for ever. */
export function plantPipe(path: string): void {
  execFileSync("mkfifo", [path]);
}

/** An object of exactly these bytes, however malformed. Returns its name. */
export function plantObject(gitDir: string, type: string, body: Buffer): string {
  const whole = Buffer.concat([Buffer.from(`${type} ${body.length}\0`), body]);
  const oid = createHash("sha1").update(whole).digest("hex");
  mkdirSync(join(gitDir, "objects", oid.slice(0, 2)), { recursive: true });
  writeFileSync(
    join(gitDir, "objects", oid.slice(0, 2), oid.slice(2)),
    deflateSync(whole, { level: 1 }),
  );
  return oid;
}

export interface RawCommit {
  readonly author?: Buffer | string;
  readonly parents?: readonly string[];
  readonly message?: Buffer | string;
}

const EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
const NOBODY = "N <n@example.org> 1767225600 +0000";

/** A commit of raw bytes on the empty tree; `main` then points to it. Returns its name. */
export function plantCommit(gitDir: string, commit: RawCommit): string {
  plantObject(gitDir, "tree", Buffer.alloc(0));
  const { author = NOBODY, parents = [], message = "x\n" } = commit;
  const body = Buffer.concat([
    Buffer.from(
      `tree ${EMPTY_TREE}\n${parents.map((parent) => `parent ${parent}\n`).join("")}author `,
    ),
    Buffer.from(author),
    Buffer.from(`\ncommitter ${NOBODY}\n\n`),
    Buffer.from(message),
  ]);
  const oid = plantObject(gitDir, "commit", body);
  writeFileSync(join(gitDir, "refs", "heads", "main"), `${oid}\n`);
  return oid;
}

/** The one loose object file whose name begins so. */
export function objectFile(gitDir: string, oid: string): string {
  const folder = join(gitDir, "objects", oid.slice(0, 2));
  const name = readdirSync(folder).find((one) => one === oid.slice(2));
  if (name === undefined) throw new Error(`${oid} is no loose object`);
  return join(folder, name);
}
