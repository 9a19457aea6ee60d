CREATE TABLE control.incident_day (day date PRIMARY KEY, last integer NOT NULL);      -- numbers INC-2026-11-22-001 (AM-inc-01)
CREATE TABLE control.incident (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  number text NOT NULL UNIQUE, title text NOT NULL,
  severity text NOT NULL CHECK (severity IN ('sev1', 'sev2', 'sev3', 'sev4')),
  status text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'acknowledged', 'closed')),
  cause_key text,                                            -- <system>/<rule>/<group>: one open incident a cause
  opened_by text NOT NULL, opened_at timestamptz NOT NULL, started_at timestamptz NOT NULL,
  acknowledged_by text, acknowledged_at timestamptz, closed_by text, resolved_at timestamptz, closed_at timestamptz,
  respond_by timestamptz NOT NULL, symptoms text, root_cause text, resolution text, prevention text,
  post_mortem_due timestamptz, customer_impact boolean NOT NULL DEFAULT false, reminded integer NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX idx_incident_open_cause ON control.incident (cause_key) WHERE status <> 'closed' AND cause_key IS NOT NULL;
CREATE INDEX idx_incident_opened ON control.incident (opened_at DESC);
CREATE TABLE control.incident_role (
  incident_id bigint NOT NULL REFERENCES control.incident (id) ON DELETE CASCADE,
  role text NOT NULL CHECK (role IN ('commander', 'communications', 'operations', 'scribe')),
  person text NOT NULL, by text NOT NULL, at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (incident_id, role)
);
-- What people said; alerts, runs, deploys and posts are read where they stand.
CREATE TABLE control.incident_note (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  incident_id bigint NOT NULL REFERENCES control.incident (id) ON DELETE CASCADE,
  at timestamptz NOT NULL DEFAULT now(), by text NOT NULL, door text NOT NULL, text text NOT NULL, key text,
  UNIQUE (incident_id, key)
);
