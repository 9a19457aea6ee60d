/** Where exports go: a folder of this machine, or a bucket. Parts are written in order and joined at the end. */
export interface ExportedPart {
  /** From 1. */
  readonly number: number;
  readonly bytes: number;
  readonly etag: string;
}

export interface ExportTarget {
  /** What people read: a folder's path, or `s3://bucket/prefix`. */
  readonly name: string;
  /** An upload that can be taken up again by what this returns. */
  begin(name: string, signal: AbortSignal): Promise<string>;
  /** Replaces a part with the same number. `sha256` in hex, checked where it arrives. */
  put(
    upload: string,
    part: { readonly number: number; readonly bytes: Uint8Array; readonly sha256: string },
    signal: AbortSignal,
  ): Promise<{ readonly etag: string }>;
  /** What has arrived, by number; null: the upload is gone. */
  parts(upload: string, signal: AbortSignal): Promise<readonly ExportedPart[] | null>;
  /** Joins the parts; safe to repeat. */
  complete(
    upload: string,
    parts: readonly {
      readonly number: number;
      readonly etag: string;
      readonly sha256: string;
    }[],
    signal: AbortSignal,
  ): Promise<{
    /** Composite: SHA-256 over the digests of the parts, in base64, and how many; null where the target computes none. */
    readonly checksum: string | null;
    /** Of the whole file in hex; null where the target could not read it again. */
    readonly sha256: string | null;
  }>;
  /** Safe to repeat. */
  abort(upload: string, signal: AbortSignal): Promise<void>;
  /** A small file beside, replaced whole. */
  writeSmall(name: string, text: string, signal: AbortSignal): Promise<void>;
}
