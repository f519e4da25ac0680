/** A host, by name or address, and a TCP port; `HostPort` of config/ has this shape. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}
