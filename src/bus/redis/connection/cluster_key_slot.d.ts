/** The part of the package that is used; it has no types of its own. */
declare module "cluster-key-slot" {
  /** The slot of a key in a Redis Cluster. */
  export default function slotOf(key: string): number;
}
