/** The folder for exports: made when missing, readable for nobody else, as rows may hold what only operators may see. */
import { mkdir } from "node:fs/promises";
import { errorMessage, fault } from "../../base/fault.js";

/** Throws a transient fault `EXPORTS_FOLDER_UNUSABLE`: a full or missing disk may come back. */
export async function ensureExportsFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    throw fault.transient(
      "EXPORTS_FOLDER_UNUSABLE",
      `cannot use the exports folder ${folder}: ${errorMessage(error)}`,
      { cause: error, hint: "make it writable for the user that runs the workers" },
    );
  });
}
