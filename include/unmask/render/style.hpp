#pragma once

/// Style sheet and script of a report page.

namespace unmask::inline UNMASK_ABI::render::detail {

inline constexpr const char* page_style = R"css(
:root{color-scheme:light dark;--paper:#fbfbf9;--card:#fff;--ink:#1a1d21;--soft:#5b636e;--line:#dfe2e6;--grid:#e3e6ea;
--accent:#0a5ea8;--s1:#0072b2;--s2:#d55e00;--s3:#00865f;--s4:#b8508f;--s5:#a67400;--s6:#3f8fc4}
@media(prefers-color-scheme:dark){:root{--paper:#14171b;--card:#1c2026;--ink:#e8eaed;--soft:#a2abb6;--line:#333942;
--grid:#2f353d;--accent:#6cb6f5;--s1:#5cb8f0;--s2:#ff9147;--s3:#35cfa0;--s4:#eda0cf;--s5:#f2c744;--s6:#a9b7ff}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
main,header,footer{max-width:1240px;margin:0 auto;padding:0 24px}
header{padding-top:40px}
h1{font-size:clamp(1.6rem,4vw,2.3rem);line-height:1.15;letter-spacing:-.02em;margin:0 0 6px;text-wrap:balance;overflow-wrap:anywhere}
.sub{color:var(--soft);font-size:1.05rem;margin:0 0 14px;max-width:75ch}
h2{font-size:1.28rem;letter-spacing:-.01em;margin:0 0 4px}
section{padding:26px 0 8px;border-top:1px solid var(--line);margin-top:26px}
p{margin:0 0 14px;max-width:78ch}
.how,figcaption small{color:var(--soft);font-size:.9rem}
.how{max-width:110ch}
[hidden]{display:none!important}
dl.facts{display:flex;flex-wrap:wrap;gap:6px 26px;margin:0 0 16px}
dl.facts div{display:flex;gap:.5em}
dl.facts dt{color:var(--soft)}dl.facts dd{margin:0;font-weight:600;font-variant-numeric:tabular-nums}
nav{display:flex;flex-wrap:wrap;gap:4px 18px;font-size:.93rem}
nav a{color:var(--accent);text-decoration:none}nav a:hover{text-decoration:underline}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;margin:8px 0 10px}
.scores{min-width:min(100%,560px)}
.scores th,.scores td{padding:7px 16px;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
.scores th{font-weight:600;color:var(--soft);font-size:.88rem}
.scores thead tr:first-child th[colspan]{text-align:center;color:var(--ink)}
.scores tbody th{text-align:left;color:var(--ink);font-size:1rem;padding-left:0}
.scores .gap{padding-left:34px}
.scores .best{font-weight:700}
.row{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,var(--cell,270px)),1fr));gap:18px;margin:10px 0 14px}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,480px),1fr));gap:18px;margin:10px 0 14px}
.charts .chart{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:10px;max-width:640px}
.chart{width:100%;height:auto;display:block}
figure{margin:0;min-width:0}
figcaption{margin-top:6px;line-height:1.35;overflow-wrap:anywhere}
figcaption b{font-weight:600}
figcaption small{display:block}
.pic{box-shadow:0 0 0 1px var(--line);position:relative;display:block;width:100%;background:#000;border-radius:4px;overflow:hidden;line-height:0}
.pic img{width:100%;height:auto;display:block}
.pic img.px{image-rendering:pixelated}
.grey{isolation:isolate;background:#fff}
.tinted .grey{background:var(--tint,#fff)}
.tinted .grey img{mix-blend-mode:multiply}
.pt{position:absolute;width:14px;height:14px;margin:-7px 0 0 -7px;border:2px solid #fff;border-radius:50%;box-shadow:0 0 0 1.5px #000,inset 0 0 0 1px #000}
.pt i{position:absolute;left:13px;top:-11px;font:700 12px/16px system-ui,sans-serif;color:#fff;background:rgba(0,0,0,.68);padding:0 4px;border-radius:4px}
.pt.w i{left:auto;right:13px}
.matrix{display:grid;gap:8px;margin:10px 0 14px;align-items:center;min-width:var(--least)}
.matrix b{font-weight:600;font-size:.9rem;overflow-wrap:anywhere}
.matrix .top{text-align:center;font-size:.88rem;font-weight:600;font-variant-numeric:tabular-nums;border-bottom:4px solid var(--tint,var(--line));padding-bottom:2px}
.bar{margin:4px 0 14px;max-width:420px}
figure .bar{margin:6px 0 0;max-width:none}
.bar i{display:block;height:11px;border-radius:2px;border:1px solid var(--line)}
.bar span{display:flex;justify-content:space-between;font-size:.82rem;color:var(--soft);font-variant-numeric:tabular-nums}
.bar span span{width:0;justify-content:center;white-space:nowrap}
.bar span span:first-child{justify-content:flex-start}.bar span span:last-child{justify-content:flex-end}
.controls{display:flex;flex-wrap:wrap;align-items:center;gap:10px 18px;margin:10px 0}
.controls output{font-weight:600;font-variant-numeric:tabular-nums;min-width:13.5em}
.controls .slide{flex:1 1 280px;min-width:200px;max-width:640px}
.slide input{width:100%;margin:0;display:block;accent-color:var(--accent);height:22px}
.slide i{display:block;height:7px;border-radius:3px;margin:0 8px}
button{font:inherit;font-size:.93rem;padding:3px 14px;border:1px solid var(--line);border-radius:6px;background:var(--card);color:var(--ink);cursor:pointer;min-width:5.2em}
label{font-size:.93rem;display:inline-flex;gap:.45em;align-items:center}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
ul{padding-left:1.2em;max-width:80ch}
footer{padding-top:26px;padding-bottom:46px;font-size:.88rem;color:var(--soft)}
@media(max-width:600px){main,header,footer{padding-left:14px;padding-right:14px}.row{--cell:150px!important;gap:10px}}
@media print{.controls,nav{display:none}section{break-inside:avoid-page}}
)css";

/// Slider: one <img> per method, pictures from the JSON block; a picture that is null there is the one in the page.
inline constexpr const char* page_script = R"js(
(()=>{
const box=document.getElementById('explorer');if(!box)return;
const all=JSON.parse(document.getElementById('band-images').textContent);
const range=document.getElementById('band'),say=document.getElementById('band-name'),play=document.getElementById('play');
const pics=[...box.querySelectorAll('.grey')],first=+range.value;
pics.forEach((p,m)=>{const s=p.querySelector('img').src;all.png[m]=all.png[m].map((d,b)=>b===first?s:'data:image/png;base64,'+d)});
const show=()=>{const b=+range.value;say.textContent=all.label[b];range.setAttribute('aria-valuetext',all.label[b]);
pics.forEach((p,m)=>{const i=p.querySelector('img');i.src=all.png[m][b];i.alt=all.name[m]+', '+all.label[b];
p.style.setProperty('--tint',all.colour[m][b])})};
range.addEventListener('input',show);
let timer=0;
play.addEventListener('click',()=>{if(timer){clearInterval(timer);timer=0}else timer=setInterval(()=>{
range.value=(+range.value+1)%all.label.length;show()},250);play.textContent=timer?'Pause':'Play'});
document.getElementById('tint').addEventListener('change',e=>document.body.classList.toggle('tinted',e.target.checked));
show();
})();
)js";

}  // namespace unmask::inline UNMASK_ABI::render::detail
