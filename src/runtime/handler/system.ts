/** The handlers of the kinds that any system has, one for each of `SYSTEM_KINDS`. */
import type { JobHandler } from "../../job/port.js";
import { type AlertDeps, createAlertHandler } from "./alert.js";
import { type AuditDeps, createAuditHandler } from "./audit.js";
import { createExportHandler, type ExportDeps } from "./export.js";
import { createGcHandler, type GcDeps } from "./gc.js";
import { createMaintenanceHandler, type MaintenanceDeps } from "./maintenance.js";

export type SystemHandlerDeps = AlertDeps & AuditDeps & ExportDeps & GcDeps & MaintenanceDeps;

export function createSystemHandlers(deps: SystemHandlerDeps): JobHandler[] {
  return [
    createGcHandler(deps),
    createAlertHandler(deps),
    createExportHandler(deps),
    createAuditHandler(deps),
    createMaintenanceHandler(deps),
  ];
}
