/** The desktop of whoever runs this process, if there is one. */
export interface Desktop {
  /** Nothing is connected to yet. */
  open(): Notices;
}

/**
 * Notices of one program. None of them fails or waits: where nobody shows notices nothing happens. To close it is to
 * take all of them back.
 */
export interface Notices extends AsyncDisposable {
  /** Shows a notice. @returns Takes it back. */
  show(notice: Notice): () => void;
}

/** What a person is told, in plain text; nothing secret, for it may be seen on a locked screen. */
export interface Notice {
  readonly title: string;
  readonly text: string;
  /** What can be done at the notice itself; `null` for nothing. */
  readonly action: { readonly label: string; readonly onChosen: () => void } | null;
}
