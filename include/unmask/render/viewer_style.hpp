#pragma once

/// Style sheet of the page to look at cubes, after that of reports.

namespace unmask::inline UNMASK_ABI::render::detail {

inline constexpr const char* viewer_style = R"css(
:root{--s7:#8a5a44;--s8:#5d6d7e}
@media(prefers-color-scheme:dark){:root{--s7:#d9a17e;--s8:#9fb3c8}}
main,header,footer{max-width:1560px}
header{padding-top:26px}
dl.facts div{flex-wrap:wrap}dl.facts dd{white-space:nowrap}
.tools{display:flex;flex-wrap:wrap;gap:10px 22px;align-items:center;padding:12px 0;border-top:1px solid var(--line)}
.tools select,.pick select{font:inherit;font-size:.93rem;padding:3px 6px;border:1px solid var(--line);border-radius:6px;background:var(--card);color:var(--ink);max-width:100%}
.tools input[type=range]{accent-color:var(--accent);width:150px;margin:0}
.tools output{font-weight:600;font-variant-numeric:tabular-nums;min-width:3.6em}
.picks{display:flex;flex-wrap:wrap;gap:10px 22px}
.pick{display:flex;gap:8px;align-items:center;border:0;padding:0;margin:0}
.pick b{font-weight:600;font-size:.93rem}
.pick .slide{width:190px}.pick .slide input{width:100%}
#look{display:grid;grid-template-columns:minmax(0,1fr) minmax(0,1fr);gap:26px;align-items:start;margin-top:12px}
#picture{position:relative;aspect-ratio:var(--w)/var(--h);width:min(100%,calc(76vh*var(--w)/var(--h)));min-width:24px;min-height:24px;margin:0 auto;cursor:crosshair;border-radius:4px;box-shadow:0 0 0 1px var(--line);touch-action:pan-y;user-select:none}
#picture canvas{position:absolute;inset:0;width:100%;height:100%;border-radius:4px}
#picture.hard canvas{image-rendering:pixelated}
#picture:focus-visible{outline:3px solid var(--accent);outline-offset:3px}
#marks{position:absolute;inset:0;overflow:hidden;pointer-events:none}
#marks .pt{border-color:var(--mark)}
#marks .pt{box-shadow:0 0 0 1.5px #fff,0 0 0 2.5px #000,inset 0 0 0 1px #fff}
.cross{position:absolute;width:19px;height:19px;margin:-9.5px 0 0 -9.5px;--line1:linear-gradient(#fff,#fff);filter:drop-shadow(0 0 1px #000) drop-shadow(0 0 1px #000);background:var(--line1) 9px 0/1.5px 7px no-repeat,var(--line1) 9px 12px/1.5px 7px no-repeat,var(--line1) 0 9px/7px 1.5px no-repeat,var(--line1) 12px 9px/7px 1.5px no-repeat}
#seam{position:absolute;top:0;bottom:0;width:2px;margin-left:-1px;background:#fff;box-shadow:0 0 3px #000;pointer-events:none}
#split{position:absolute;bottom:-15px;width:34px;height:30px;margin-left:-17px;border-radius:15px;background:var(--accent);border:2px solid #fff;box-shadow:0 1px 4px rgba(0,0,0,.5);cursor:ew-resize;touch-action:none;display:grid;place-items:center;color:var(--card);font:700 14px/1 system-ui,sans-serif}
.corner{position:absolute;top:8px;max-width:45%;padding:1px 8px;border-radius:4px;background:rgba(0,0,0,.62);color:#fff;font-size:.85rem;pointer-events:none;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.corner.left{left:8px}.corner.right{right:8px}
.under{display:flex;flex-wrap:wrap;gap:6px 16px;align-items:center;justify-content:space-between;margin-top:22px}
.under output{font-variant-numeric:tabular-nums}
#chart{width:100%;height:min(46vh,420px);min-height:240px;display:block;background:var(--card);border:1px solid var(--line);border-radius:8px;color:var(--ink);fill:currentColor;font:12px system-ui,sans-serif}
#chart rect{shape-rendering:crispEdges}#chart .tick{opacity:.75}#chart .grid{stroke:var(--grid)}#chart .zero{stroke:currentColor;opacity:.5}
#chart .line{fill:none;stroke-width:1.9;stroke-linejoin:round}#chart .second{stroke-dasharray:6 4}
#chart .mark{stroke-dasharray:2 3;stroke-width:1.3}#chart .probe{stroke:currentColor;opacity:.45}
#pins{list-style:none;padding:0;margin:8px 0;max-width:none}
#pins li{display:flex;gap:10px;align-items:center;padding:3px 0;border-bottom:1px solid var(--line);font-size:.93rem;font-variant-numeric:tabular-nums}
#pins b{min-width:4em}#pins output{margin-left:auto;font-weight:600}
#pins button{min-width:3.4em;padding:0 10px}
.swatch{width:20px;height:4px;border-radius:2px;flex:none}
.unseen{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.how{margin-top:8px}#how{min-height:3em;max-width:none}
@media(max-width:860px){#look{grid-template-columns:minmax(0,1fr)}#picture{width:min(100%,calc(64vh*var(--w)/var(--h)))}#how{min-height:0}}
@media(max-width:520px){.pick,.pick .slide,.tools label{flex-wrap:wrap}.under{margin-top:26px}}
)css";

}  // namespace unmask::inline UNMASK_ABI::render::detail
