/** Statements of policies in AWS, and the documents that hold them. */

export interface Statement {
  /** What it is for, in words; IAM takes letters and digits only. */
  readonly Sid?: string;
  readonly Effect: "Allow" | "Deny";
  /** In policies of a resource: who is meant. */
  readonly Principal?: "*" | Readonly<Record<string, string | readonly string[]>>;
  readonly Action?: readonly string[];
  /** All but these. */
  readonly NotAction?: readonly string[];
  readonly Resource?: readonly string[];
  readonly Condition?: Readonly<
    Record<string, Readonly<Record<string, string | readonly string[]>>>
  >;
}

export function policyDocument(statements: readonly Statement[]): string {
  return JSON.stringify({ Version: "2012-10-17", Statement: statements });
}
