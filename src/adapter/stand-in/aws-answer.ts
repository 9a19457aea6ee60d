/** What the parts of the stand-in for AWS have in common: a request, a refusal, and how things are named. */
const ACCOUNT = "123456789012";

/** One request as its service sees it. */
export interface AwsRequest {
  /** `ecs`. */
  readonly service: string;
  /** `UpdateService`. */
  readonly operation: string;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Throws to refuse: the name is that of AWS's own exception. */
export class AwsRefusal extends Error {
  constructor(
    override readonly name: string,
    message: string = name,
    readonly status = 400,
  ) {
    super(message);
  }
}

export const arnOf = (service: string, name: string): string =>
  `arn:aws:${service}:us-east-1:${ACCOUNT}:${name}`;
