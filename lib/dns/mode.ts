/** How the operating system is pointed at a DNS server of ours: the words of `--dns` and of the files. */
export const DNS_MODES = ["auto", "resolved", "direct", "none"] as const;
export type DnsMode = typeof DNS_MODES[number];
