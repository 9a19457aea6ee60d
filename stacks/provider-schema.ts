/**
 * The form of `terraform providers schema -json`, and the small schema of the types in use: made from
 * the installed bindings by scripts/provider-schema.mjs.
 */
import generated from "./aws-schema.generated.json" with { type: "json" };

export type AttributeType =
  | "string"
  | "number"
  | "bool"
  | "dynamic"
  | readonly ["list" | "set" | "map", AttributeType]
  | readonly ["object", Readonly<Record<string, AttributeType>>];

export interface AttributeSchema {
  readonly type: AttributeType;
  readonly required?: boolean;
  readonly optional?: boolean;
  /** The provider sets it: always when neither of the others holds, else when the stack does not. */
  readonly computed?: boolean;
}

export interface NestedBlockSchema {
  readonly nesting_mode: "list" | "set" | "single";
  readonly min_items?: number;
  readonly max_items?: number;
  readonly block: BlockSchema;
}

export interface BlockSchema {
  readonly attributes?: Readonly<Record<string, AttributeSchema>>;
  readonly block_types?: Readonly<Record<string, NestedBlockSchema>>;
}

export interface ProviderSchema {
  readonly provider: { readonly block: BlockSchema };
  readonly resource_schemas: Readonly<Record<string, { readonly block: BlockSchema }>>;
  readonly data_source_schemas: Readonly<Record<string, { readonly block: BlockSchema }>>;
}

// The compiler reads the JSON as one literal type, with tuples widened to arrays.
export const awsSchema = generated as unknown as ProviderSchema;

/** Of Terraform's built-in provider, which needs no download: how one stack reads the outputs of another. */
export const REMOTE_STATE = "terraform_remote_state";
const remoteState: BlockSchema = {
  attributes: {
    backend: { type: "string", required: true },
    config: { type: "dynamic", optional: true },
    defaults: { type: "dynamic", optional: true },
    outputs: { type: "dynamic", computed: true },
    workspace: { type: "string", optional: true },
  },
};

/** The block of a data source; undefined for a type that the schema does not have. */
export function dataSchema(schema: ProviderSchema, type: string): BlockSchema | undefined {
  return type === REMOTE_STATE ? remoteState : schema.data_source_schemas[type]?.block;
}
