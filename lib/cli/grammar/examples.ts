/** A whole command line for each command that needs an argument, for whoever left one out. */
export const EXAMPLES: Readonly<Record<string, string>> = {
  "connect": "vnet connect db",
  "ctl users add": "vnet ctl users add alice --roles dev",
  "ctl users reset": "vnet ctl users reset alice",
  "ctl users rm": "vnet ctl users rm alice",
  "ctl sessions rm": "vnet ctl sessions rm 3f2a90c1",
  "ctl tokens rm": "vnet ctl tokens rm 8e1b77d0",
  "ctl agents rm": "vnet ctl agents rm rack-7",
  "ctl create": "vnet ctl create resources.yaml",
  "ctl edit": "vnet ctl edit role/dev",
  "ctl get": "vnet ctl get roles",
  "ctl rm": "vnet ctl rm role/dev",
  "ctl lock": "vnet ctl lock user alice",
  "ctl backup": "vnet ctl backup /var/backups/vnet-auth.db",
  "server restore": "vnet server restore /var/backups/vnet-auth.db",
};
