-- Whether an incident is over already, when its trigger comes late.
CREATE INDEX idx_inbound_incident ON control.inbound ((body ->> 'incidentId')) WHERE source = 'pagerduty';
