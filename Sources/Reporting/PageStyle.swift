/// The style of the page: light and dark, narrow screens, print. Contrast of text is at least 4.5.
let pageStyle = """
    :root { --paper: #ffffff; --ink: #1c1e21; --quiet: #555b63;
      --rule: #d5d9de; --shade: #f3f5f7; --accent: #0b5a8f; --warn: #8a3b00; --warn-shade: #fff3e6; }
    @media (prefers-color-scheme: dark) {
      :root { --paper: #15181c; --ink: #e6e8eb; --quiet: #a7aeb7; --rule: #3a4048;
        --shade: #1f242a; --accent: #7cc0f0; --warn: #ffb97a; --warn-shade: #33241a; }
      svg .paper, svg .legend { fill: var(--paper); } svg .ink { fill: var(--ink); }
      svg .zero, svg .frame { stroke: var(--quiet); } svg .grid { stroke: #5a626c; }
      svg .legend { stroke: var(--rule); }
      svg .curve0 { stroke: #e6e8eb; } svg .curve1 { stroke: #4ea8e6; }
      svg .curve2 { stroke: #ff8a4c; } svg .curve3 { stroke: #2bc79a; }
      svg .curve4 { stroke: #e6a3c8; } svg .curve5 { stroke: #d9a93a; }
      svg .curve6 { stroke: #9bd3f5; } svg .curve7 { stroke: #b79bea; }
      svg .solid.curve0 { fill: #e6e8eb; } svg .solid.curve1 { fill: #4ea8e6; }
      svg .solid.curve2 { fill: #ff8a4c; } svg .solid.curve3 { fill: #2bc79a; }
      svg .solid.curve4 { fill: #e6a3c8; } svg .solid.curve5 { fill: #d9a93a; }
      svg .solid.curve6 { fill: #9bd3f5; } svg .solid.curve7 { fill: #b79bea; }
      svg .hollow { fill: var(--paper); } svg .band { stroke: none; fill-opacity: 0.25; }
    }
    * { box-sizing: border-box; }
    body { margin: 0; background: var(--paper); color: var(--ink);
      font: 16px/1.5 system-ui, "Segoe UI", Roboto, Helvetica, Arial, sans-serif; }
    main { max-width: 1120px; margin: 0 auto; padding: 24px 20px 64px; }
    h1 { font-size: 1.9rem; line-height: 1.2; margin: 0.4em 0; overflow-wrap: anywhere; }
    h2 { font-size: 1.35rem; margin: 2.2em 0 0.6em; padding-top: 0.6em;
      border-top: 1px solid var(--rule); }
    h3 { font-size: 1.1rem; margin: 1.6em 0 0.5em; }
    a { color: var(--accent); } th a { text-decoration: none; } th a:hover { text-decoration: underline; }
    a:focus-visible, .scroll:focus-visible, summary:focus-visible {
      outline: 2px solid var(--accent); outline-offset: 2px; }
    nav { display: flex; flex-wrap: wrap; gap: 0.3em 1.2em; margin: 1em 0; }
    li { margin: 0.35em 0; } p, li { max-width: 78ch; overflow-wrap: anywhere; }
    .incomplete { color: var(--warn); background: var(--warn-shade); padding: 0.5em 0.8em;
      border-left: 4px solid var(--warn); }
    .note { color: var(--quiet); font-size: 0.9rem; margin: 0.3em 0; }
    figure { margin: 1.4em 0; } figcaption { color: var(--quiet); font-size: 0.92rem; }
    .scroll { overflow-x: auto; margin: 1.2em 0 0.4em; }
    figure svg { display: block; max-width: 100%; height: auto; }
    table { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
    caption { text-align: left; font-weight: 600; padding: 0 0 0.4em;
      min-width: min(32em, calc(100vw - 44px)); }
    caption.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden;
      clip-path: inset(50%); }
    th, td { padding: 0.28em 0.6em; text-align: right; white-space: nowrap;
      border-bottom: 1px solid var(--rule); }
    thead th, thead td { border-bottom: 2px solid var(--quiet); vertical-align: bottom; }
    th { font-weight: 600; } tbody th { font-weight: 500; text-align: left; }
    th.group { vertical-align: top; }
    th.leading, td.leading { text-align: left; }
    td.prose { white-space: normal; min-width: 16ch; overflow-wrap: anywhere; }
    th small, td small { display: block; font-weight: 400; color: var(--quiet); }
    td.shared { background: var(--shade); vertical-align: middle; text-align: center; }
    td.best { background: var(--shade); }
    details { border-bottom: 1px solid var(--rule); padding: 0.25em 0; }
    summary { cursor: pointer; overflow-wrap: anywhere; }
    details td.leading { font-family: ui-monospace, Menlo, Consolas, monospace; font-size: 0.8rem; }
    @media (max-width: 640px) {
      main { padding: 12px 12px 48px; } h1 { font-size: 1.5rem; }
      tbody th { position: sticky; left: 0; background: var(--paper); }
      caption { position: sticky; left: 0; max-width: calc(100vw - 44px); }
    }
    @media print {
      main { max-width: none; padding: 0; } nav { display: none; }
      body { font-size: 10pt; } .scroll { overflow: visible; } table { font-size: 7.5pt; }
      figure .panels { min-width: 0 !important; } figure, tr { break-inside: avoid; }
      h2, h3, caption { break-after: avoid; } th, td { padding: 0.2em 0.35em; }
      details, .cycles { display: none; }
    }
    """
