/** The plain files of a tar archive as `git archive` writes it (POSIX ustar with pax headers). */

export interface TarFile {
  /** From the root of the archive, with `/`. */
  readonly path: string;
  readonly text: string;
}

const BLOCK = 512;

/** Links and folders are left out. */
export function readTar(archive: Buffer): TarFile[] {
  const files: TarFile[] = [];
  let longPath: string | null = null;
  for (let at = 0; at + BLOCK <= archive.length && archive[at] !== 0; ) {
    const header = archive.subarray(at, at + BLOCK);
    const size = Number.parseInt(textAt(header, 124, 12), 8) || 0;
    const content = archive.subarray(at + BLOCK, at + BLOCK + size);
    const type = textAt(header, 156, 1);
    // A pax header speaks of the file behind it.
    if (type === "x") longPath = pathOf(content.toString("utf8"));
    else {
      if (type === "0" || type === "")
        files.push({ path: longPath ?? nameOf(header), text: content.toString("utf8") });
      longPath = null;
    }
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
  }
  return files;
}

function nameOf(header: Buffer): string {
  const prefix = textAt(header, 345, 155);
  const name = textAt(header, 0, 100);
  return prefix === "" ? name : `${prefix}/${name}`;
}

/** Up to the first NUL. */
function textAt(header: Buffer, start: number, length: number): string {
  return header
    .toString("utf8", start, start + length)
    .split("\0", 1)[0]!
    .trim();
}

/** Records are `LENGTH key=value\n`. */
function pathOf(records: string): string | null {
  return /^\d+ path=(.*)$/m.exec(records)?.[1] ?? null;
}
