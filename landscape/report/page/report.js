// Closed details would be missing on paper.
addEventListener("beforeprint", () => {
  for (const each of document.querySelectorAll("details:not([open])")) each.open = true;
});

// The explorer is unpacked when somebody comes near it: the page is there at once.
const frame = document.getElementById("explorer");
// Without WebGL plotly draws nothing: the picture beneath has to do.
const turns = (name) => Boolean(document.createElement("canvas").getContext(name));
if (frame && !turns("webgl2") && !turns("webgl")) {
  frame.parentElement.classList.add("flat");
  frame.parentElement.querySelector(".still").hidden = false;
} else if (frame) {
  frame.parentElement.querySelector(".how").hidden = false;
  const unpack = async () => {
    const text = document.getElementById("packed-explorer").textContent;
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    frame.srcdoc = await new Response(stream).text();
  };
  const near = new IntersectionObserver((seen) => {
    if (!seen.some((one) => one.isIntersecting)) return;
    near.disconnect();
    unpack();
  }, { rootMargin: "400px" });
  near.observe(frame);
}
