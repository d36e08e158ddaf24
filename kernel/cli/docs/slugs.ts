// Ids of headings on one page: as GitHub and Jupyter make them, and no two alike.

export function slugs(): (text: string) => string {
  const taken = new Set<string>();
  return (text) => {
    const plain = text.replace(/<[^>]*>|[`*_$\\]/g, "");
    const base =
      plain
        .toLowerCase()
        .replace(/[^\p{L}\p{N}]+/gu, "-")
        .replace(/^-+|-+$/g, "") || "part";
    let slug = base;
    for (let i = 2; taken.has(slug); i++) slug = `${base}-${i}`;
    taken.add(slug);
    return slug;
  };
}
