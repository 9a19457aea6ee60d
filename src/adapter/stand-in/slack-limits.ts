/** What Slack refuses in a message, by its documented limits and the one it documents nowhere. */

/** Slack's own error, or null when it would take the message. */
export function slackRefusal(text: unknown, blocks: unknown): string | null {
  if (typeof text !== "string" || text === "") {
    if (blocks === undefined) return "no_text";
  } else if (text.length > 40_000) return "msg_too_long";
  if (blocks === undefined) return null;
  if (!Array.isArray(blocks) || blocks.length === 0 || blocks.length > 50) return "invalid_blocks";
  // Found by users, not documented: about 13,000 characters over all blocks (bolt-js #2509).
  if (charactersIn(blocks) > 13_000) return "msg_blocks_too_long";
  return blocks.every(isBlock) ? null : "invalid_blocks";
}

type Thing = Readonly<Record<string, unknown>>;

function isBlock(block: unknown): boolean {
  if (!isThing(block)) return false;
  switch (block.type) {
    case "header":
      return isText(block.text, "plain_text", 150);
    case "section":
      return isSection(block);
    case "actions":
      return isListOf(block.elements, 25, isButton) && hasUniqueIds(block.elements);
    case "context":
      return isListOf(block.elements, 10, (one) => isText(one, "mrkdwn", 3_000));
    case "divider":
      return true;
    default:
      return false;
  }
}

function isSection({ text, fields }: Thing): boolean {
  if (text === undefined && fields === undefined) return false;
  const textIsFine = text === undefined || isText(text, "mrkdwn", 3_000);
  const fieldsAreFine =
    fields === undefined || isListOf(fields, 10, (one) => isText(one, "mrkdwn", 2_000));
  return textIsFine && fieldsAreFine;
}

function isButton(element: unknown): boolean {
  if (!isThing(element) || element.type !== "button") return false;
  const { action_id: id, value, style } = element;
  return (
    isText(element.text, "plain_text", 75) &&
    typeof id === "string" &&
    id.length <= 255 &&
    (value === undefined || (typeof value === "string" && value.length <= 2_000)) &&
    (style === undefined || style === "primary" || style === "danger")
  );
}

function hasUniqueIds(elements: unknown): boolean {
  const ids = (elements as readonly Thing[]).map(({ action_id: id }) => id);
  return new Set(ids).size === ids.length;
}

function isText(value: unknown, type: string, max: number): boolean {
  if (!isThing(value) || value.type !== type || typeof value.text !== "string") return false;
  return value.text.length > 0 && value.text.length <= max;
}

function isListOf(value: unknown, max: number, fits: (one: unknown) => boolean): boolean {
  return Array.isArray(value) && value.length > 0 && value.length <= max && value.every(fits);
}

function isThing(value: unknown): value is Thing {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Characters of all texts inside. */
export function charactersIn(value: unknown): number {
  if (Array.isArray(value)) return value.reduce((sum: number, one) => sum + charactersIn(one), 0);
  if (!isThing(value)) return 0;
  return Object.entries(value).reduce(
    (sum, [key, inner]) =>
      sum + (key === "text" && typeof inner === "string" ? inner.length : charactersIn(inner)),
    0,
  );
}
