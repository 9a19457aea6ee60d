/** Taking a token back by its id: the same act in the terminal and over the API. */
import type { Sql } from "../store/database.js";
import { readTokenEnd, revokeToken } from "../store/revoked-tokens.js";
import { TOKEN_TTL_MAX_MS } from "./token.js";

export interface TakenBack {
  /** False when it was taken back already. */
  readonly changed: boolean;
  /** When it has ended by itself at the latest. */
  readonly until: Date;
}

/** Every process knows within a second. Whether there is such a token, nobody keeps: any id can be taken back. */
export async function takeBackToken(
  sql: Sql,
  request: {
    readonly tokenId: string;
    readonly by: string;
    readonly reason: string;
    readonly now: Date;
  },
): Promise<TakenBack> {
  const { now, ...who } = request;
  const longest = new Date(now.getTime() + TOKEN_TTL_MAX_MS.viewer);
  const until = (await readTokenEnd(sql, who.tokenId)) ?? longest;
  return { changed: await revokeToken(sql, { ...who, until }), until };
}
