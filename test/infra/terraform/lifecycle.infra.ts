/** The real Terraform takes every stack from nothing to applied, and then finds nothing to do. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makePolicy } from "../../support/make-policy.js";
import { synthesized } from "../../support/synthesized.js";
import {
  openTerraformSandbox,
  type TerraformSandbox,
  terraformPlatform,
} from "../../support/terraform.js";

const VARIABLES = {
  image_tag: "0123456789abcdef0123456789abcdef01234567",
  subnet_ids: '["subnet-1","subnet-2"]',
  security_group_ids: '["sg-1"]',
  alarm_endpoint: "https://events.example.test/integration",
};

describe.runIf(terraformPlatform !== null)("terraform: from nothing to applied", () => {
  let sandbox: TerraformSandbox;
  beforeAll(async () => {
    sandbox = await openTerraformSandbox(VARIABLES);
  });
  afterAll(() => sandbox?.remove());

  test("terraform: init, validate, plan, apply, and then nothing to do", async () => {
    const { terraform } = sandbox;
    const { documents } = await synthesized(makePolicy());
    for (const [name, document] of Object.entries(documents)) {
      const { folder } = await sandbox.place(name, document);
      expect(await terraform.validate(folder)).toEqual([]);
      expect(await terraform.plan(folder, { out: "plan.bin" })).toBe("changes");
      await terraform.apply(folder, "plan.bin");
      expect(await terraform.plan(folder, { out: "again.bin" }), name).toBe("nothing");
    }
  });
});
