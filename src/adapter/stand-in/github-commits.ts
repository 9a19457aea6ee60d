/** The Git side of a stand-in GitHub: contents, trees, commits and branches, named by digests as Git names them. */
import { createHash } from "node:crypto";

/** Path → name of the content. */
export type StandInFiles = ReadonlyMap<string, string>;

export interface StandInCommit {
  readonly sha: string;
  readonly tree: string;
  readonly parents: readonly string[];
  readonly message: string;
  readonly at: Date;
  /** Its login; absent: nobody whom GitHub knows. */
  readonly by?: string;
}

export interface StandInTreeEntry {
  readonly path: string;
  readonly type: "blob" | "tree";
  readonly sha: string;
}

export class StandInCommits {
  readonly #blobs = new Map<string, string>();
  readonly #trees = new Map<string, StandInFiles>();
  readonly #commits = new Map<string, StandInCommit>();
  readonly #branches = new Map<string, string>();

  /** What the branch holds, by path; empty when there is no such branch. */
  read(branch: string): Record<string, string> {
    const commit = this.#branches.get(branch);
    const files = commit === undefined ? [] : [...this.filesOf(commit)];
    return Object.fromEntries(files.map(([path, sha]) => [path, this.#blobs.get(sha)!]));
  }

  blob(sha: string): string | null {
    return this.#blobs.get(sha) ?? null;
  }

  commit(sha: string): StandInCommit | null {
    return this.#commits.get(sha) ?? null;
  }

  branch(name: string): string | null {
    return this.#branches.get(name) ?? null;
  }

  branches(): string[] {
    return [...this.#branches.keys()];
  }

  setBranch(name: string, commit: string): void {
    this.#branches.set(name, commit);
  }

  deleteBranch(name: string): void {
    this.#branches.delete(name);
  }

  addBlob(text: string): string {
    const bytes = Buffer.from(text, "utf8");
    const sha = sha1(`blob ${bytes.length}\0`, bytes);
    this.#blobs.set(sha, text);
    return sha;
  }

  addTree(files: StandInFiles): string {
    const sorted = [...files].sort(([a], [b]) => (a < b ? -1 : 1));
    const sha = sha1("tree", JSON.stringify(sorted));
    this.#trees.set(sha, new Map(sorted));
    return sha;
  }

  addCommit(commit: Omit<StandInCommit, "sha">): StandInCommit {
    // As in Git, the same change made at another moment has another name.
    const nth = String(this.#commits.size);
    const made = { ...commit, sha: sha1("commit", nth, JSON.stringify(commit)) };
    this.#commits.set(made.sha, made);
    return made;
  }

  /** Oldest first: what a branch has and another has not, along first parents. */
  between(base: string, head: string): StandInCommit[] {
    const known = new Set(this.#line(this.#branches.get(base)).map(({ sha }) => sha));
    const own = this.#line(this.#branches.get(head)).filter(({ sha }) => !known.has(sha));
    return own.reverse();
  }

  /** Newest first. */
  #line(from: string | undefined): StandInCommit[] {
    const line: StandInCommit[] = [];
    for (let sha = from; sha !== undefined; ) {
      const commit = this.#commits.get(sha);
      if (commit === undefined) break;
      line.push(commit);
      sha = commit.parents[0];
    }
    return line;
  }

  /** Of a commit or a tree; empty when it is neither. */
  filesOf(treeish: string): StandInFiles {
    const tree = this.#commits.get(treeish)?.tree ?? treeish;
    return this.#trees.get(tree) ?? new Map();
  }

  has(treeish: string): boolean {
    return this.#commits.has(treeish) || this.#trees.has(treeish);
  }

  /** Folders first, as they are met; all levels, or the first alone. */
  list(treeish: string, recursive: boolean): StandInTreeEntry[] {
    const files = [...this.filesOf(treeish)];
    const folders = new Set(files.flatMap(([path]) => foldersOf(path, recursive)));
    const trees = [...folders].map((path) => ({
      ...{ path, type: "tree" as const },
      sha: this.addTree(below(files, path)),
    }));
    const blobs = files
      .filter(([path]) => recursive || !path.includes("/"))
      .map(([path, sha]) => ({ path, type: "blob" as const, sha }));
    return [...trees, ...blobs];
  }

  /** Paths that a commit has changed against its first parent, with what they were before (null: not there). */
  changes(commit: string): Map<string, { before: string | null; after: string | null }> {
    const [parent] = this.#commits.get(commit)?.parents ?? [];
    const before = parent === undefined ? new Map<string, string>() : this.filesOf(parent);
    const after = this.filesOf(commit);
    const paths = [...new Set([...before.keys(), ...after.keys()])];
    const changed = paths.filter((path) => before.get(path) !== after.get(path));
    return new Map(
      changed.map((path) => [
        path,
        { before: before.get(path) ?? null, after: after.get(path) ?? null },
      ]),
    );
  }
}

function foldersOf(path: string, recursive: boolean): string[] {
  const steps = path.split("/").slice(0, -1);
  const folders = steps.map((_, at) => steps.slice(0, at + 1).join("/"));
  return recursive ? folders : folders.slice(0, 1);
}

function below(files: readonly (readonly [string, string])[], folder: string): StandInFiles {
  const inside = files.filter(([path]) => path.startsWith(`${folder}/`));
  return new Map(inside.map(([path, sha]) => [path.slice(folder.length + 1), sha]));
}

function sha1(...parts: (string | Buffer)[]): string {
  const hash = createHash("sha1");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
}
