/** The structural difference of two JSON trees, leaf by leaf. */
export interface LeafChange {
  /** `resource.aws_ecs_service.api-service.desired_count`. */
  readonly at: string;
  readonly before: unknown;
  readonly after: unknown;
}

export function leafChanges(before: unknown, after: unknown, at = ""): LeafChange[] {
  if (!isTree(before) || !isTree(after)) {
    return Object.is(before, after) ? [] : [{ at, before, after }];
  }
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys].flatMap((key) =>
    leafChanges(before[key], after[key], at === "" ? key : `${at}.${key}`),
  );
}

function isTree(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
