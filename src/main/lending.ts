/** What worker processes are lent by the process that started them: tokens of an hour instead of keys. */
import { createBucketLender } from "../adapter/aws-lend.js";
import type { GitHubAuth } from "../adapter/github.js";
import { createGitHubLender } from "../adapter/github-lend.js";
import type { Config } from "../runtime/config.js";
import { createLender, type Lender } from "../runtime/lender.js";
import type { LentS3 } from "../runtime/lent-credentials.js";
import type { Foundation } from "./foundation.js";

type OwnAuth = Exclude<GitHubAuth, { kind: "lent" }>;

export function openLending(foundation: Foundation): Lender {
  const { config, clock, log } = foundation;
  const auth = ownGitHubAuth(config);
  const { apiUrl } = config.github;
  return createLender({
    github: auth === null ? async () => null : createGitHubLender({ auth, apiUrl }),
    s3: lendS3(config, regionOf(foundation)),
    ...{ clock, log },
  });
}

/** Null: no credentials for GitHub. */
export function ownGitHubAuth({ github: { token, app } }: Config): OwnAuth | null {
  if (token !== null) return { kind: "token", token };
  return app === null ? null : { kind: "app", ...app };
}

/** Of the bucket of exports. */
export function regionOf({ config, policy }: Pick<Foundation, "config" | "policy">): string {
  return config.overrides.region ?? policy().infrastructure.region;
}

/** Only where exports go to a bucket: a session that may write there and nothing else, where a role for it is named. */
function lendS3(config: Config, region: string): (signal: AbortSignal) => Promise<LentS3 | null> {
  const { exportsBucket: bucket } = config.overrides;
  if (bucket === null) return async () => null;
  const { endpointUrl, exportRoleArn: roleArn } = config.aws;
  return createBucketLender({ region, endpointUrl, roleArn, bucket, prefix: "" });
}
