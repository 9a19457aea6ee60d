/** Saved queries of CloudWatch Logs Insights, with the one word in them that the asker fills. */
import { fault } from "../../base/fault.js";
import type { AwsPlace } from "../aws-port.js";

/** Stands in a saved query for the id that is looked for, see `src/alert/outlet/log-queries.ts`. */
const PLACEHOLDER = "REQUEST_ID";

/** Nothing of it could end the text in quotes where it is put. */
export const REQUEST_ID_PATTERN = "^[A-Za-z0-9-]{1,64}$";

/** Throws a refused Fault `QUERY_UNKNOWN`, `REQUEST_ID_MISSING`, `REQUEST_ID_NOT_ASKED` or `REQUEST_ID_INVALID`. */
export function fillQuery(
  { queries }: Pick<AwsPlace, "queries">,
  name: string,
  requestId: string | undefined,
): string {
  const text = Object.hasOwn(queries, name) ? queries[name] : undefined;
  if (text === undefined)
    throw fault.refused(
      "QUERY_UNKNOWN",
      `found "${name}", expected one of ${Object.keys(queries).join(", ")}`,
    );
  const isAsked = text.includes(PLACEHOLDER);
  if (isAsked && requestId === undefined)
    throw fault.refused("REQUEST_ID_MISSING", `${name} looks for one request`, {
      hint: "give its id: it stands in every answer of the API and in every line of the log",
    });
  if (!isAsked && requestId !== undefined)
    throw fault.refused("REQUEST_ID_NOT_ASKED", `${name} looks for no single request`);
  if (requestId === undefined) return text;
  if (!new RegExp(REQUEST_ID_PATTERN).test(requestId))
    throw fault.refused(
      "REQUEST_ID_INVALID",
      "expected 1 to 64 letters, digits and hyphens as a request's id",
    );
  return text.replaceAll(PLACEHOLDER, requestId);
}
