// Closed details would be missing on paper.
addEventListener("beforeprint", () => {
  for (const each of document.querySelectorAll("details:not([open])")) each.open = true;
});

// A picture opens by itself in its full size. No browser follows a link to "data:", hence the blob.
for (const image of document.querySelectorAll("figure img")) {
  const link = document.createElement("a"), picture = image.parentElement;
  Object.assign(link, { className: "whole", href: "#", target: "_blank", title: "Open in full size" });
  picture.replaceWith(link);
  link.append(picture);
  const lead = () => {
    const [head, content] = image.currentSrc.split(",");
    const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
    URL.revokeObjectURL(link.href);
    link.href = URL.createObjectURL(new Blob([bytes], { type: head.match(/:(.*?);/)[1] }));
  };
  link.addEventListener("click", lead);
  link.addEventListener("auxclick", lead);
}

// The explorer is unpacked when somebody comes near it: the page is there at once. A browser may
// offer WebGL and draw nothing: the picture beneath stands over the frame until its page says that
// the plane is seen, and has to do where it isn't.
const frame = document.getElementById("explorer");
if (frame) {
  const stage = frame.parentElement, turn = stage.parentElement;
  const above = turn.nextElementSibling.querySelector("details");
  const still = above.querySelector("picture").cloneNode(true);
  const show = (name) => {
    for (const each of ["drawing", "how", "still"])
      turn.querySelector(`.${each}`).hidden = each !== name;
    stage.hidden = name === "still";
    // Not twice the same plane: open only where it can't be turned.
    if (name !== "how") above.open = name === "still";
    if (name === "drawing") stage.append(still);
    else still.remove();
  };
  const unpack = async () => {
    const text = document.getElementById("packed-explorer").textContent;
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    frame.srcdoc = await new Response(stream).text();
  };
  addEventListener("message", ({ source, data }) => {
    if (source !== frame.contentWindow || !data || !("drawn" in data)) return;
    show(data.drawn ? "how" : "still");
  });
  const offered = (name) => Boolean(document.createElement("canvas").getContext(name));
  show(offered("webgl2") || offered("webgl") ? "drawing" : "still");
  const near = new IntersectionObserver((seen) => {
    if (!seen.some((one) => one.isIntersecting)) return;
    near.disconnect();
    unpack().catch(() => show("still"));
  }, { rootMargin: "400px" });
  if (!stage.hidden) near.observe(frame);
}
