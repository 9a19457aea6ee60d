/** Things that are opened one after the other and closed in reverse; a start that fails closes what it had opened. */

export type Close = () => Promise<void>;

/**
 * `open` notes how each thing is closed as soon as it is open. The answer's `close` may be called twice; when
 * one thing cannot be closed the others still are, and the first error is thrown at the end.
 */
export async function openInOrder<T extends object>(
  open: (opened: Close[]) => Promise<T>,
): Promise<T & { close: Close }> {
  const opened: Close[] = [];
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= closeAll(opened);
    return closing;
  };
  try {
    return { ...(await open(opened)), close };
  } catch (error) {
    // Why it did not start is what people must hear, not what went wrong while tidying up.
    await Promise.allSettled([close()]);
    throw error;
  }
}

async function closeAll(opened: readonly Close[]): Promise<void> {
  const errors: unknown[] = [];
  for (const close of [...opened].reverse()) {
    try {
      await close();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
}
