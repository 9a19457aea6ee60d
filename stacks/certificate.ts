/** The certificate of a public name: the one that the policy names, or one that is asked for here. */

import { AcmCertificate } from "#aws/acm-certificate";
import { AcmCertificateValidation } from "#aws/acm-certificate-validation";
import type { TerraformStack } from "#cdk";
import type { PublicHost } from "../src/policy/services.js";

/**
 * The ARN of an issued certificate. One that is asked for waits, while it is applied, until somebody has entered the
 * CNAME that ACM shows for it: our domains lie with another registrar.
 *
 * @param region where it must lie, when not in the stack's: CloudFront reads those of us-east-1 alone
 */
export function certificateArn(
  stack: TerraformStack,
  id: string,
  { host, certificateArn: given }: PublicHost,
  region?: string,
): string {
  if (given !== null) return given;
  const place = region === undefined ? {} : { region };
  const certificate = new AcmCertificate(stack, `${id}-certificate`, {
    domainName: host,
    validationMethod: "DNS",
    ...place,
    // A listener must never be without one.
    lifecycle: { createBeforeDestroy: true },
  });
  const validation = new AcmCertificateValidation(stack, `${id}-certificate-issued`, {
    certificateArn: certificate.arn,
    ...place,
  });
  return validation.certificateArn;
}
