// The report's style sheet and script. Without the script all pictures and curves are there all the same: it only moves
// the slider and reads out a chart under the pointer.
#pragma once

namespace forger::gan {

constexpr const char* report_style = R"(
:root{color-scheme:light dark;--paper:#fff;--ink:#1d2129;--soft:#667085;--rule:#e4e7ec;--card:#f8f9fb;
--c0:#2563eb;--c1:#dc5f00;--c2:#0d9488;--c3:#9333ea;--c4:#be123c;--c5:#64748b}
@media(prefers-color-scheme:dark){:root{--paper:#14171c;--ink:#e6e8ec;--soft:#98a2b3;--rule:#2b313b;--card:#1b1f26;
--c0:#6ea8fe;--c1:#ffa657;--c2:#4fd1c5;--c3:#c49bff;--c4:#ff8095;--c5:#a3b1c6}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1080px;padding:1.5rem 1rem 4rem;background:var(--paper);color:var(--ink);
font:16px/1.5 system-ui,sans-serif}
h1{font-size:1.6rem;margin:.2rem 0}h3{font-size:.95rem;margin:1.2rem 0 .5rem}.modes{max-width:420px}
h2{font-size:1.1rem;margin:2.2rem 0 .8rem}
.lead{color:var(--soft);margin:0}.none{color:var(--soft)}
figure{margin:0}figcaption{font-weight:600}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,460px),1fr));gap:1rem}
.chart{background:var(--card);border:1px solid var(--rule);border-radius:10px;padding:.8rem}
.chart svg{width:100%;height:auto;display:block;touch-action:pan-y}
svg text{fill:var(--soft);font-size:12px}@media(max-width:560px){svg text{font-size:19px}}
.rule{stroke:var(--rule)}.cursor{stroke:var(--soft);stroke-dasharray:3 3}
.line{fill:none;stroke:var(--k);stroke-width:1.8;stroke-linejoin:round}.band{fill:var(--k);opacity:.17}
.c0{--k:var(--c0)}.c1{--k:var(--c1)}.c2{--k:var(--c2)}.c3{--k:var(--c3)}.c4{--k:var(--c4)}.c5{--k:var(--c5)}
.legend{margin:.1rem 0 .3rem;color:var(--soft);font-size:.9rem;display:flex;flex-wrap:wrap;gap:.2rem 1.1rem}
.legend i{display:inline-block;width:.8em;height:.8em;border-radius:3px;background:var(--k);margin-right:.4em}
.legend b{color:var(--ink);font-variant-numeric:tabular-nums}
img{image-rendering:pixelated;display:block;width:100%;border-radius:6px}
.stage{max-width:560px;margin:0 0 1rem}.stage label{display:block;margin-top:.5rem;color:var(--soft)}
.stage output{color:var(--ink);font-weight:600}.stage input{width:100%}
.strip{display:grid;grid-template-columns:repeat(auto-fill,minmax(76px,1fr));gap:.6rem}
.strip figcaption{font-weight:400;font-size:.85rem;color:var(--soft);text-align:center}.strip img{cursor:pointer}
.words{grid-template-columns:repeat(auto-fill,minmax(8rem,1fr))}.words pre{margin:0;font-size:.8rem;line-height:1.3}
.tables{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,320px),1fr));gap:0 2rem;align-items:start}
table{border-collapse:collapse;width:100%;font-size:.92rem}
th,td{text-align:left;padding:.28rem .4rem;border-bottom:1px solid var(--rule);overflow-wrap:anywhere}
th{font-weight:400;color:var(--soft);width:45%}td{font-variant-numeric:tabular-nums}
)";

constexpr const char* report_script = R"(
const stage=document.querySelector('.stage');
if(stage){
  const pictures=[...document.querySelectorAll('.strip figure')],slider=stage.querySelector('input');
  const show=i=>{slider.value=i;stage.querySelector('img').src=pictures[i].querySelector('img').src;
    stage.querySelector('output').textContent=pictures[i].querySelector('figcaption').textContent};
  slider.oninput=()=>show(+slider.value);
  pictures.forEach((p,i)=>p.onclick=()=>show(i));
  stage.hidden=false;show(pictures.length-1);
}
for(const svg of document.querySelectorAll('.chart svg')){
  const curves=JSON.parse(svg.dataset.readings),cursor=svg.querySelector('.cursor');
  const values=[...svg.parentNode.querySelectorAll('.legend b')],last=values.map(v=>v.textContent);
  const caption=svg.parentNode.querySelector('figcaption'),title=caption.textContent;
  svg.onpointermove=event=>{
    const box=svg.getBoundingClientRect(),x=(event.clientX-box.left)/box.width*svg.viewBox.baseVal.width;
    curves.forEach((points,k)=>{
      const near=points.reduce((a,b)=>Math.abs(b[0]-x)<Math.abs(a[0]-x)?b:a);
      values[k].textContent=near[2];caption.textContent=title+', step '+near[1];
      cursor.setAttribute('x1',near[0]);cursor.setAttribute('x2',near[0]);
    });
  };
  svg.onpointerleave=()=>{values.forEach((v,k)=>v.textContent=last[k]);caption.textContent=title;
    cursor.setAttribute('x1',-9);cursor.setAttribute('x2',-9)};
}
)";

}  // namespace forger::gan
